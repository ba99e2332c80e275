"""What the server holds; it outlives every client."""

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from osmo_eventlog.memory.stream import MemoryStream
from osmo_eventlog.streams import stream_of

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
        return self.streams[stream_of(subject, (stream.spec for stream in self.streams.values()))]
