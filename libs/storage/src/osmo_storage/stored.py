"""What a transfer says about its work."""

from dataclasses import dataclass


class StorageError(Exception):
    """The transfer did not do what it promises; the text names the object and the cause. The same call may be made again.

    `code` is stable: `storage.unreachable`, `storage.failed`, and those of StorageRefused.
    """

    def __init__(self, message: str, code: str = "storage.failed") -> None:
        super().__init__(message)
        self.code = code


class StorageRefused(StorageError):
    """Nothing that waiting would heal: `storage.no_bucket`, `storage.access_denied`, `storage.bad_keys`, `storage.bad_key`, `storage.refused`."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """`key` is relative to the listed prefix, or the last component where the URI named the object itself."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Transferred:
    """How much was moved. `skipped` names what is no file and therefore stays behind."""

    bytes: int = 0
    files: int = 0
    skipped: tuple[str, ...] = ()

    def and_one(self, size: int) -> "Transferred":
        return Transferred(self.bytes + size, self.files + 1, self.skipped)
