"""What a server says that it stored: the ETag, which is the MD5 of an object, or that of its parts' MD5s, unless the server encrypts with keys of its own."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_ETAG: Final = re.compile(r"[0-9a-f]{32}(?:-([0-9]+))?")


def digest(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def etag_of(digests: Sequence[bytes], *, multipart: bool) -> str:
    """The ETag of an object that came in these parts."""
    return f"{digest(b''.join(digests)).hex()}-{len(digests)}" if multipart else digests[0].hex()


def plain(etag: str) -> str:
    return etag.strip('"').lower()


def file_has(path: Path, size: int, etag: str, part: int) -> bool | None:
    """Whether the file is what this ETag was made of, in one piece or in parts of that size; None where an ETag of this form tells nothing."""
    found = _ETAG.fullmatch(plain(etag))
    if found is None or (found[1] and int(found[1]) != max(1, -(-size // part))):
        return None
    with path.open("rb") as reader:
        if not found[1]:
            whole = hashlib.file_digest(reader, lambda: hashlib.md5(usedforsecurity=False))
            return whole.hexdigest() == plain(etag)
        digests = [digest(piece) for piece in iter(lambda: reader.read(part), b"")]
    return etag_of(digests, multipart=True) == plain(etag)
