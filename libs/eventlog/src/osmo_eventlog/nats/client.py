"""The client of nats-py, but one whom the server may send away.

nats-py closes for good when a server ends a connection because its login is over or was taken back. For us this is one more way to lose a
connection: it comes again, with the token as it is then, for as long as it takes.
"""

import nats.errors
from nats.aio.client import Client

_SENT_AWAY = (
    "authorization violation",
    "authentication expired",
    "authentication revoked",
    "authentication timeout",
)


class SteadyClient(Client):
    async def _process_err(self, err_msg: str) -> None:
        """What the server says before it ends the connection, in lower case."""
        if is_refusal(err_msg) and not self.is_connecting:
            await self._process_op_err(nats.errors.AuthorizationError())
        else:
            await super()._process_err(err_msg)


def is_refusal(said: object) -> bool:
    """Whether these are the words of a server that does not let us in, or no longer."""
    text = str(said).lower()
    return isinstance(said, nats.errors.AuthorizationError) or any(words in text for words in _SENT_AWAY)
