"""A simulated cluster's memory on disk: which pods were made and removed, so that they outlive the agent with the times that they had."""

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


_ENCODER = msgspec.json.Encoder()
_LINE: msgspec.json.Decoder[_Made | _Removed] = msgspec.json.Decoder(_Made | _Removed)


COMPACT_BEYOND = 20_000


class Journal:
    """One JSON line per pod made, changed or removed, the last one counts. Rewritten when it is opened and when most of it is history."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.kept: list[Pod] = list(_read(path).values())
        self._live = {pod.key: _made_line(pod) for pod in self.kept}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._rewrite()

    def made(self, pods: Iterable[Pod]) -> None:
        lines = {pod.key: _made_line(pod) for pod in pods}
        self._live.update(lines)
        self._write(list(lines.values()))

    def removed(self, keys: Sequence[AttemptKey]) -> None:
        for key in keys:
            self._live.pop(key, None)
        self._write([_ENCODER.encode(_Removed(key)) + b"\n" for key in keys])

    def close(self) -> None:
        self._file.close()

    def _write(self, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        self._file.write(b"".join(lines))
        self._lines += len(lines)
        if self._lines > COMPACT_BEYOND + 4 * len(self._live):
            self._file.close()
            self._rewrite()

    def _rewrite(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(b"".join(self._live.values()))
        fresh.replace(self._path)
        self._file: BinaryIO = self._path.open("ab", buffering=0)
        self._lines = len(self._live)


def _made_line(pod: Pod) -> bytes:
    return _ENCODER.encode(_Made(pod)) + b"\n"


def _read(path: Path) -> dict[AttemptKey, Pod]:
    """The pods that were there when the last process ended; a line that it tore is passed over."""
    pods: dict[AttemptKey, Pod] = {}
    if not path.exists():
        return pods
    for line in path.read_bytes().splitlines():
        try:
            entry = _LINE.decode(line)
        except msgspec.DecodeError:
            continue
        if isinstance(entry, _Made):
            pods[entry.pod.key] = entry.pod
        else:
            pods.pop(entry.key, None)
    return pods
