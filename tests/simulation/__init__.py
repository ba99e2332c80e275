"""Deterministic simulation: the whole control plane, a simulated cluster and simulated users in one process, in virtual time.

One seed decides every delay, loss, repeat and crash (docs/simulation.md). `python -m tests.simulation --seeds 10000` runs many.
"""
