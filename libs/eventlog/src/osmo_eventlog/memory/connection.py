"""One client's connection to the memory server, with the ways in which it can be harmed."""

from osmo_eventlog.memory.clock import Clock
from osmo_eventlog.memory.link import Crashed, Link
from osmo_eventlog.memory.log import MemoryEventLog
from osmo_eventlog.memory.requests import MemoryRequests
from osmo_eventlog.memory.slots import MemoryBlobs, MemoryLeases, MemorySnapshots
from osmo_eventlog.memory.state import ServerState


class MemoryConnection:
    def __init__(self, state: ServerState, link: Link, clock: Clock) -> None:
        self._state = state
        self._link = link
        self.log = MemoryEventLog(state, link)
        self.blobs = MemoryBlobs(state, link)
        self.leases = MemoryLeases(state, link, clock)
        self.snapshots = MemorySnapshots(state, link)
        self.requests = MemoryRequests(state, link)

    async def watch(self) -> None:
        """Never returns; raises when the connection is gone for good. A root loop."""
        await self._link.crashed.wait()
        raise Crashed(self._link.client)

    def cut(self) -> None:
        """From now on nothing gets through, until `heal`: calls end with Transient after the deadline, followers wait."""
        self._link.cut()

    def heal(self) -> None:
        self._link.heal()

    def crash(self) -> None:
        """The client dies: what it tries from now on raises Crashed and changes nothing; questions that it was answering get no answer."""
        self._link.crash()
        for stream in self._state.streams.values():
            stream.wake_all()
        for replicas in self._state.replicas.values():
            for replica in replicas:
                if not replica.reachable():
                    replica.kill()
