"""The workflow aggregate: its events, its state, the fold and the decisions. Pure; imported by scheduler, views, CLI and tests alike."""
