"""Refuses what a scheduler that lost its lease still sends."""

from osmo_eventlog.ports import Snapshots


class Fence:
    """Remembers at which position of COMMANDS each epoch was first seen.

    A command is refused when a newer epoch spoke *before* it. One that merely arrives late (given back and delivered again behind the
    newer epoch's first command) is still good: it was published while its scheduler held the lease.
    """

    def __init__(self, snapshots: Snapshots, backend: str) -> None:
        self._snapshots = snapshots
        self._name = f"agent.{backend}.epoch"
        self._marks: list[tuple[int, int]] = []
        """(position, epoch), both growing."""
        self._unsaved = False

    async def load(self) -> None:
        """Take up what an earlier life of this agent knew."""
        kept = await self._snapshots.get(self._name)
        if kept:
            position, epoch = kept.decode().split(" ")
            self._marks = [(int(position), int(epoch))]

    def admits(self, position: int, epoch: int) -> bool:
        return not any(mark < position and newer > epoch for mark, newer in self._marks)

    def note(self, position: int, epoch: int) -> None:
        """Call in the order of positions, as commands come in."""
        if epoch > (self._marks[-1][1] if self._marks else 0):
            self._marks.append((position, epoch))
            self._unsaved = True

    async def save(self) -> None:
        """Keep what was noted for the next life of this agent; nothing to do nearly always."""
        if self._unsaved:
            position, epoch = self._marks[-1]
            await self._snapshots.put(self._name, f"{position} {epoch}".encode())
            self._unsaved = False
