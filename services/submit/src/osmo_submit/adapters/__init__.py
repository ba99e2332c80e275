"""Renderers: in worker processes with limits, and in this process for the simulation."""
