"""Backends and their agents: who may come in, what an agent may ask, and what people do with both."""
