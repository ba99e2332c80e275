"""The configuration as people read and write it: who changed what, and whether it will do."""
