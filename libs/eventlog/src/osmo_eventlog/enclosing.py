"""Questions and answers that are larger than a message may be: their bytes go to Blobs, and the message says where."""

from typing import Final

import msgspec
from msgspec import Struct

from osmo_domain.errors import Poison
from osmo_eventlog.ports import Blobs

LARGEST_MESSAGE: Final = 256 * 1024
"""What goes over the wire as it is. Well below the server's limit, so that large questions do not hold up small ones."""


class Enclosed(Struct, frozen=True, tag="enclosed"):
    """Stands for the bytes in Blobs under `digest`."""

    digest: str


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Enclosed)
_BEGINNING: Final = b'{"type":"enclosed",'


async def enclose(data: bytes, blobs: Blobs) -> bytes:
    """What to send for a question or an answer in JSON: itself, or where it is."""
    if len(data) <= LARGEST_MESSAGE:
        return data
    return _ENCODER.encode(Enclosed(await blobs.put(data)))


async def unwrap(data: bytes, blobs: Blobs) -> bytes:
    """What was meant by a message from `enclose`. Poison where its bytes are not there."""
    if not data.startswith(_BEGINNING):
        return data
    digest = _DECODER.decode(data).digest
    try:
        return await blobs.get(digest)
    except KeyError as error:
        raise Poison(f"the bytes of a message are not stored: {digest}") from error
