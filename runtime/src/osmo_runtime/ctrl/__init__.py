"""osmo-ctrl: the control container of one task. Asyncio, msgspec and the standard library; see `life` for what it does in which order."""
