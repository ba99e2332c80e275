"""The wrapper around the user's command (`osmo-exec` of a user container). Standard library only, no asyncio: it lives as long as the command."""
