"""What the server holds; it outlives every client."""

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from osmo_eventlog.matching import matches_any
from osmo_eventlog.memory.stream import MemoryStream

if TYPE_CHECKING:
    from osmo_eventlog.memory.durable import Durable
    from osmo_eventlog.memory.requests import Replica
    from osmo_eventlog.memory.slots import Claim


@dataclass
class ServerState:
    streams: dict[str, MemoryStream]
    rng: random.Random
    durables: dict[tuple[str, str], "Durable"] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    snapshots: dict[str, bytes] = field(default_factory=dict)
    claims: dict[str, "Claim"] = field(default_factory=dict)
    lease_epoch: int = 0
    replicas: dict[str, list["Replica"]] = field(default_factory=dict)

    def stream_of(self, subject: str) -> MemoryStream:
        for stream in self.streams.values():
            if matches_any(stream.spec.subjects, subject):
                return stream
        raise LookupError(f"no stream holds {subject}")
