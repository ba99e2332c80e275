"""The task's line home: logs and reports."""
