"""The client of nats-py, but one whom the server may keep waiting at the door, or send away.

nats-py takes the server's first PING, which comes while a login is still being looked at (auth callout), for the end of the login; and it closes for
good when a server ends a connection because its login is over or was taken back. For us the one is a reason to wait on, and the other one more way to
lose a connection: the client comes again, with the token as it is then, for as long as it takes.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import nats.errors
from nats.aio.client import Client, Srv
from nats.aio.transport import Transport

_SENT_AWAY = (
    "authorization violation",
    "authentication expired",
    "authentication revoked",
    "authentication timeout",
)


class SteadyClient(Client):
    async def _connect_to_server(self, s: Srv) -> None:
        fresh = not self._transport
        await super()._connect_to_server(s)
        if fresh and self._transport:
            # Until the login is over; over WebSocket for good, where it does no harm.
            self._transport.readline = partial(  # type: ignore[method-assign]
                _line_but_ping, self._transport, self._transport.readline
            )

    async def _process_err(self, err_msg: str) -> None:
        """What the server says before it ends the connection, in lower case."""
        if is_refusal(err_msg) and not self.is_connecting:
            await self._process_op_err(nats.errors.AuthorizationError())
        else:
            await super()._process_err(err_msg)


async def _line_but_ping(transport: Transport, readline: Callable[[], Awaitable[bytes]]) -> bytes:
    while True:
        line = await readline()
        if not line:
            raise ConnectionResetError("nats: the server has closed the connection")
        if line.strip().upper() != b"PING":
            return line
        transport.write(b"PONG\r\n")
        await transport.drain()  # type: ignore[no-untyped-call]


def is_refusal(said: object) -> bool:
    """Whether these are the words of a server that does not let us in, or no longer."""
    text = str(said).lower()
    return isinstance(said, nats.errors.AuthorizationError) or any(words in text for words in _SENT_AWAY)
