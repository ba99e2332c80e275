"""The memory twin: every promise of osmo_eventlog.ports inside one process, deterministic, for tests and the simulation."""

from osmo_eventlog.memory.connection import MemoryConnection
from osmo_eventlog.memory.faults import NO_FAULTS, Faults, NoFaults, Operation
from osmo_eventlog.memory.link import Crashed
from osmo_eventlog.memory.server import MemoryServer

__all__ = ["NO_FAULTS", "Crashed", "Faults", "MemoryConnection", "MemoryServer", "NoFaults", "Operation"]
