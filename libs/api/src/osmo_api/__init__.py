"""HTTP and WebSocket message types and the client."""
