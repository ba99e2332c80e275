"""Where bytes live, as users write it: `file:///absolute/path`. More schemes are added here and in `transfer`, nowhere else."""

from dataclasses import dataclass
from pathlib import PurePosixPath


class BadUri(ValueError):
    """A URI that names no place. `code` is stable: `storage.uri.malformed`, `storage.uri.unknown_scheme`, `storage.uri.bad_path`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Location:
    """A parsed URI. `path` is absolute and holds no `.`, `..` or empty component; it is taken as written, without percent-decoding."""

    scheme: str
    path: PurePosixPath

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"


SCHEMES = ("file",)


def parse_uri(text: str) -> Location:
    """The place that `text` names. Raises BadUri, whose message is fit for the user."""
    scheme, separator, rest = text.partition("://")
    if not separator or not scheme:
        raise BadUri("storage.uri.malformed", f"{text!r} is not a URI: expected `<scheme>://<path>`")
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise BadUri(
            "storage.uri.unknown_scheme", f"{text!r}: this installation can reach {known} and no `{scheme}://`"
        )
    return Location(scheme, _absolute_path(text, rest.removeprefix("localhost")))


def _absolute_path(text: str, path: str) -> PurePosixPath:
    if not path.startswith("/"):
        raise BadUri("storage.uri.bad_path", f"{text!r}: a file URI has three slashes and an absolute path")
    components = path.strip("/").split("/")
    if "\0" in path or any(part in ("", ".", "..") for part in components):
        raise BadUri("storage.uri.bad_path", f"{text!r}: empty, `.` and `..` components are not allowed")
    return PurePosixPath("/", *components)
