"""A simulated cluster's memory on disk: which pods were made and removed, so that they outlive the agent with the times that they had."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from osmo_agent.simulated.pod import AttemptKey, Pod


class _Made(Struct, frozen=True, tag="made"):
    pod: Pod


class _Removed(Struct, frozen=True, tag="removed"):
    key: AttemptKey


_Entry = _Made | _Removed

_ENCODER = msgspec.json.Encoder()
_LINE: msgspec.json.Decoder[_Entry] = msgspec.json.Decoder(_Entry)


COMPACT_BEYOND = 20_000
DELETED_KEPT = 20_000


class Journal:
    """One JSON line per pod made, changed or removed, the last one counts. Rewritten when it is opened and when most of it is history.

    `pods` and `deleted` are what the last process left.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        entries = _read(path)
        self.pods = [entry.pod for entry in entries.values() if isinstance(entry, _Made)]
        self.deleted = [key for key, entry in entries.items() if isinstance(entry, _Removed)]
        self._live = {pod.key: _made_line(pod) for pod in self.pods}
        self._dead = OrderedDict((key, _removed_line(key)) for key in self.deleted[-DELETED_KEPT:])
        path.parent.mkdir(parents=True, exist_ok=True)
        self._rewrite()

    def made(self, pods: Iterable[Pod]) -> None:
        lines = {pod.key: _made_line(pod) for pod in pods}
        self._live.update(lines)
        self._write(list(lines.values()))

    def removed(self, keys: Sequence[AttemptKey]) -> None:
        lines = {key: _removed_line(key) for key in keys}
        for key in keys:
            self._live.pop(key, None)
        self._dead.update(lines)
        while len(self._dead) > DELETED_KEPT:
            self._dead.popitem(last=False)
        self._write(list(lines.values()))

    def close(self) -> None:
        self._file.close()

    def _write(self, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        self._file.write(b"".join(lines))
        self._lines += len(lines)
        if self._lines > COMPACT_BEYOND + 4 * (len(self._live) + len(self._dead)):
            self._file.close()
            self._rewrite()

    def _rewrite(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(b"".join([*self._live.values(), *self._dead.values()]))
        fresh.replace(self._path)
        self._file: BinaryIO = self._path.open("ab", buffering=0)
        self._lines = len(self._live) + len(self._dead)


def _made_line(pod: Pod) -> bytes:
    return _ENCODER.encode(_Made(pod)) + b"\n"


def _removed_line(key: AttemptKey) -> bytes:
    return _ENCODER.encode(_Removed(key)) + b"\n"


def _read(path: Path) -> dict[AttemptKey, _Entry]:
    """The last word on each attempt; a line that a dying process tore is passed over."""
    entries: dict[AttemptKey, _Entry] = {}
    if not path.exists():
        return entries
    for line in path.read_bytes().splitlines():
        try:
            entry = _LINE.decode(line)
        except msgspec.DecodeError:
            continue
        key = entry.pod.key if isinstance(entry, _Made) else entry.key
        entries.pop(key, None)
        entries[key] = entry
    return entries
