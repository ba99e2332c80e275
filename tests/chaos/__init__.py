"""Kill anything at any moment: nothing is stuck, nothing runs twice, no line is lost, the views equal the log (architecture section 12)."""
