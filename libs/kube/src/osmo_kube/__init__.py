"""Kubernetes, as far as an agent needs it: list-then-watch, writes that may be repeated, errors in our words."""
