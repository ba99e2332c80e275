"""Whole paths through the system, over real servers."""
