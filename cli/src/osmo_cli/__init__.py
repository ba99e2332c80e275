"""`osmo`: what runs on a person's machine."""
