"""The server of the memory twin. It lives as long as the test or the simulation; clients come, crash and come again."""

import random
from collections.abc import Sequence

from osmo_eventlog.memory.clock import Clock
from osmo_eventlog.memory.connection import MemoryConnection
from osmo_eventlog.memory.faults import NO_FAULTS, Faults
from osmo_eventlog.memory.link import Link
from osmo_eventlog.memory.state import ServerState
from osmo_eventlog.memory.stream import MemoryStream
from osmo_eventlog.streams import STREAMS, StreamSpec


class MemoryServer:
    """`clock` decides about leases and deduplication windows; waiting goes by the loop's time. `rng` chooses among replicas."""

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        faults: Faults = NO_FAULTS,
        *,
        streams: Sequence[StreamSpec] = STREAMS,
        deadline_s: float = 10,
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._deadline_s = deadline_s
        self._state = ServerState({spec.name: MemoryStream(spec, clock) for spec in streams}, rng)

    def connect(self, name: str) -> MemoryConnection:
        return MemoryConnection(self._state, Link(name, self._faults, self._deadline_s), self._clock)
