"""Where task data lives and who may touch it."""
