"""What was made of a workflow's rows, kept until the rows are other ones: an answer is only used at the version that it was made of."""

from collections import OrderedDict
from typing import Generic, TypeVar

V = TypeVar("V")


class Kept(Generic[V]):
    """The values used last, as many as fit into `most_bytes`, by key and version (osmo_views: `last_seq`)."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._values: OrderedDict[object, tuple[int, int, V]] = OrderedDict()

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def get(self, key: object, version: int | None) -> V | None:
        found = self._values.get(key)
        if found is None or found[0] != version:
            return None
        self._values.move_to_end(key)
        return found[2]

    def put(self, key: object, version: int, value: V, *, size: int) -> None:
        """`size` is about what the value takes in memory."""
        self._forget(key)
        self._values[key] = (version, size, value)
        self._bytes += size
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._values)))

    def _forget(self, key: object) -> None:
        found = self._values.pop(key, None)
        if found is not None:
            self._bytes -= found[1]
