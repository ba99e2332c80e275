"""The workflow engine and the placement of gangs."""
