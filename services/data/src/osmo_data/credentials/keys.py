"""The keys of the installation that everything else about credentials hangs on. They come from files and are never written anywhere."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

KEY_BYTES: Final = 32


class BadKeyFile(Exception):
    """The file cannot be used; the text names the file and shows nothing of what is in it."""


class KeyRing:
    """The key that new credentials are encrypted with, and older ones that can still open what they encrypted."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        """The first key is the newest."""
        self._by_id = {key_id(key): key for key in keys}
        self.newest = next(iter(self._by_id))

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._by_id)})"

    def key(self, id: str) -> bytes | None:
        return self._by_id.get(id)


def key_id(key: bytes) -> str:
    """What a key is called. Nothing about the key follows from it."""
    return hashlib.sha256(b"osmo credential key " + key).hexdigest()[:16]


def read_key_ring(path: Path) -> KeyRing:
    """A file with one key per line, 64 hex digits each, the newest first. Raises BadKeyFile."""
    lines = _read(path).decode("ascii", "replace").split()
    try:
        keys = [bytes.fromhex(line) for line in lines]
    except ValueError:
        keys = []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise BadKeyFile(f"{path} does not hold keys of {KEY_BYTES} bytes in hex, one per line")
    return KeyRing(keys)


def read_task_key(path: Path) -> bytes:
    """The key of the tasks' tokens, the same file that scheduler and log-router have. Raises BadKeyFile."""
    key = _read(path).strip()
    if not key:
        raise BadKeyFile(f"{path} is empty")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadKeyFile(f"cannot read {path}: {error.strerror}") from error
