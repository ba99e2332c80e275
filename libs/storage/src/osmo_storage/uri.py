"""Where bytes live, as users write it: `file:///absolute/path` or `s3://bucket/path`. More schemes are added here and in `transfer`, nowhere else."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final


class BadUri(ValueError):
    """A URI that names no place. `code` is stable: `storage.uri.malformed`, `storage.uri.unknown_scheme`, `storage.uri.bad_path`,
    `storage.uri.bad_bucket`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class FileLocation:
    """`path` is absolute and holds no `.`, `..` or empty component; it is taken as written, without percent-decoding."""

    path: PurePosixPath

    def __str__(self) -> str:
        return f"file://{self.path}"


@dataclass(frozen=True, slots=True)
class S3Location:
    """`key` has no slash at either end, and is empty where the whole bucket is meant. `is_prefix`: it was written with a slash at its
    end, and names no single object."""

    bucket: str
    key: str = ""
    is_prefix: bool = False

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}" if self.key else f"s3://{self.bucket}"

    @property
    def prefix(self) -> str:
        """What the keys of all objects below it start with."""
        return f"{self.key}/" if self.key else ""


Location = FileLocation | S3Location

SCHEMES: Final = ("file", "s3")
NOT_SERVED: Final = ("azure", "gs", "swift", "tos")
"""Schemes that exist in specs, and for which there is no adapter."""

_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_BARRED: Final = frozenset(",;*\0")


def parse_uri(text: str) -> Location:
    """The place that `text` names. Raises BadUri, whose message is fit for the user."""
    scheme, separator, rest = text.partition("://")
    if not separator or not scheme:
        raise BadUri("storage.uri.malformed", f"{text!r} is not a URI: expected `<scheme>://<path>`")
    if scheme == "file":
        return FileLocation(_absolute_path(text, rest.removeprefix("localhost")))
    if scheme == "s3":
        return _s3_location(text, rest)
    known = ", ".join(f"{name}://" for name in SCHEMES)
    why = f"`{scheme}://` is not served here" if scheme in NOT_SERVED else f"there is no `{scheme}://`"
    raise BadUri("storage.uri.unknown_scheme", f"{text!r}: {why}; what can be reached is {known}")


def _absolute_path(text: str, path: str) -> PurePosixPath:
    if not path.startswith("/"):
        raise BadUri("storage.uri.bad_path", f"{text!r}: a file URI has three slashes and an absolute path")
    components = path.strip("/").split("/")
    if "\0" in path or any(part in ("", ".", "..") for part in components):
        raise BadUri("storage.uri.bad_path", f"{text!r}: empty, `.` and `..` components are not allowed")
    return PurePosixPath("/", *components)


def _s3_location(text: str, rest: str) -> S3Location:
    bucket, _, written = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise BadUri("storage.uri.bad_bucket", f"{text!r}: {bucket!r} cannot be the name of a bucket")
    key = written.rstrip("/")
    if _BARRED & set(key):
        raise BadUri("storage.uri.bad_path", f"{text!r}: `,`, `;`, `*` and NUL are not allowed")
    if key and any(part in ("", ".", "..") for part in key.split("/")):
        raise BadUri("storage.uri.bad_path", f"{text!r}: empty, `.` and `..` components are not allowed")
    return S3Location(bucket, key, is_prefix=written.endswith("/") or not key)
