"""Figures, each beside the limit of what it stands on, measured in the same run on the same machine. `python -m tests.bench [names...] [--quick]`."""
