"""The errors of the house, and what each means at every edge (docs/decisions/0003).

Rejected            the request is refused; nothing is wrong with us. 4xx with a stable code. Ack the message.
Stale               someone else wrote first: reload, decide again (bounded).
Transient           an outside thing is away or overloaded: retry after `delay_s`.
Poison              this message can never work: dead letter, with the reason.
anything else       a bug.

Adapters translate library errors into these at exactly one function each, with the cause chained.
"""

from typing import Literal

ErrorCode = Literal[
    "USER",
    "USAGE",
    "RESOURCE",
    "CREDENTIAL",
    "DATABASE",
    "SUBMISSION",
    "SERVER",
    "BACKEND",
    "NOTFOUND",
    "OSMO_ERROR",
]
"""The wire's `error_code`: what clients of the public OSMO branch on."""


class Rejected(Exception):
    """A request is refused; the text is safe for the user to read.

    `code` is ours: stable, dotted, never reworded (`spec.unknown_key`). `error_code` is the reference's class of error, which its
    clients understand. `line` and `column` count from 1 and point into the text that the user sent; None where there is no place.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        error_code: ErrorCode = "USER",
        http_status: int = 400,
        line: int | None = None,
        column: int | None = None,
        path: str | None = None,
        workflow_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.error_code: ErrorCode = error_code
        self.http_status = http_status
        self.line = line
        self.column = column
        self.path = path
        self.workflow_id = workflow_id


class Stale(Exception):
    """Someone else appended to this aggregate first: reload it and decide again."""


class Transient(Exception):
    """An outside thing is away or overloaded; the same call may work after `delay_s` seconds."""

    def __init__(self, message: str, *, delay_s: float = 1.0) -> None:
        super().__init__(message)
        self.delay_s = delay_s


class Poison(Exception):
    """This message can never be handled: it belongs with the dead letters."""
