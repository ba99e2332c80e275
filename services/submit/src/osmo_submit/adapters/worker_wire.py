"""What the service and a render worker say to each other: frames of a length in four bytes and JSON, in turns, over the worker's pipes.

The worker runs what a stranger wrote, so nothing that it says is more than text and numbers.
"""

from typing import Final

import msgspec
from msgspec import Struct

from osmo_domain.errors import ErrorCode, Rejected
from osmo_domain.spec.sections import Sections

LENGTH_BYTES: Final = 4
READY: Final = b"ready"


class RenderRequest(Struct, frozen=True):
    sections: Sections
    set_variables: tuple[str, ...] = ()
    set_string_variables: tuple[str, ...] = ()
    trace: bool = False


class Rendered(Struct, frozen=True, tag="rendered"):
    text: str


class Traced(Struct, frozen=True, tag="traced"):
    lines: list[int]


class RenderRefused(Struct, frozen=True, tag="refused"):
    code: str
    message: str
    error_code: ErrorCode
    line: int | None = None
    column: int | None = None

    @classmethod
    def of(cls, error: Rejected) -> "RenderRefused":
        return cls(error.code, error.message, error.error_code, error.line, error.column)

    def rejected(self) -> Rejected:
        return Rejected(self.code, self.message, error_code=self.error_code, line=self.line, column=self.column)


RenderAnswer = Rendered | Traced | RenderRefused

ENCODER: Final = msgspec.json.Encoder()
REQUESTS: Final = msgspec.json.Decoder(RenderRequest)
ANSWERS: Final[msgspec.json.Decoder[RenderAnswer]] = msgspec.json.Decoder(RenderAnswer)


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(LENGTH_BYTES, "big") + body
