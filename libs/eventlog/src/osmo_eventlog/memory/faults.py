"""Where a simulation may harm the twin. Every operation of every client passes here on its way to the server and on its way back."""

from collections.abc import Sequence
from typing import Literal, Protocol

Operation = Literal[
    "append", "publish", "load", "last", "follow", "fetch", "ack", "nak", "working", "consumer", "purge",
    "blob.put", "blob.get", "lease.acquire", "lease.renew", "lease.release", "snapshot.put", "snapshot.get", "ask",
]  # fmt: skip


class Faults(Protocol):
    """`client` is the name that was given to `connect`; `subject` is the subject, or the name of the stream, blob, lease or snapshot."""

    async def before(self, client: str, operation: Operation, subject: str) -> None:
        """Awaited before the server hears of it. Sleep to delay it; raise Transient to lose it (nothing happened)."""
        ...

    async def after(self, client: str, operation: Operation, subject: str) -> None:
        """Awaited when the server has done it. Sleep to delay the answer; raise Transient to lose it (what was done stands)."""
        ...

    def strays(self, client: str, operation: Operation, subject: str) -> Sequence[float]:
        """For each number a further copy of this append or publish reaches the server that many seconds later, whatever became of the call."""
        ...


class NoFaults:
    """Nothing goes wrong."""

    async def before(self, client: str, operation: Operation, subject: str) -> None:
        pass

    async def after(self, client: str, operation: Operation, subject: str) -> None:
        pass

    def strays(self, client: str, operation: Operation, subject: str) -> Sequence[float]:  # noqa: ARG002
        return ()


NO_FAULTS = NoFaults()
