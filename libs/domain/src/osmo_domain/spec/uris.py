"""The grammar of places in storage. Whether a place exists, and may be used, is asked of the data service."""

import re
from typing import Final

_PART: Final = r"[^/,;*]+"
_LEAST_PARTS: Final = {"s3": 1, "gs": 1, "azure": 2, "tos": 2, "swift": 3}
_URI: Final = re.compile(rf"([a-z0-9]+)://({_PART}(?:/{_PART})*)/*")
_FILE: Final = re.compile(rf"file://(?:/{_PART})+/*")

SCHEMES: Final = (*_LEAST_PARTS, "file")


def is_storage_uri(text: str) -> bool:
    """A whole URI of a known scheme, with everything that the scheme needs before the path."""
    if text.startswith("file:"):
        return _FILE.fullmatch(text) is not None and ".." not in text.split("/")
    found = _URI.fullmatch(text)
    return found is not None and len(found[2].split("/")) >= _LEAST_PARTS.get(found[1], 1 << 30)
