"""The HTTP edge: from requests to use-cases and back. Nothing is decided here."""
