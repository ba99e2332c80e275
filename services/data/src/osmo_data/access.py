"""May a task read or write at a place of this machine? Answered before a workflow is accepted, so that it does not fail hours later.

What does not exist yet is no problem: an earlier workflow may still write it. What exists must be accessible, and where something is to
be written the nearest existing directory above must allow it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from osmo_storage import BadUri, Direction, Location, parse_uri

DIRECTIONS = frozenset(get_args(Direction))


class Problem(Exception):
    """Why a URI will not do; `code` is stable, `message` is fit for the user."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def place_of(uri: str, direction: str) -> Location:
    """Raises Problem where the question makes no sense."""
    if direction not in DIRECTIONS:
        raise Problem(
            "data.bad_direction", f"{uri!r}: a task reads (READ) or writes (WRITE), and does not {direction!r}"
        )
    try:
        return parse_uri(uri)
    except BadUri as error:
        raise Problem(error.code, error.message) from error


def check_file(uri: str, path: Path, direction: str, roots: Sequence[Path]) -> None:
    """Raises Problem. `roots` empty = every path is allowed."""
    _check_roots(uri, path, roots)
    try:
        _check_access(uri, path, direction)
    except OSError as error:
        raise Problem("data.unreachable", f"{uri!r}: {error.strerror or error}") from error


def _check_roots(uri: str, path: Path, roots: Sequence[Path]) -> None:
    """Symbolic links are followed first: a link inside a root that leads out of it is outside."""
    if roots and not any(path.resolve().is_relative_to(root) for root in roots):
        allowed = ", ".join(map(str, roots))
        raise Problem("data.outside_roots", f"{uri!r} is outside of what this installation allows: {allowed}")


def _check_access(uri: str, path: Path, direction: str) -> None:
    existing = next(place for place in (path, *path.parents) if place.exists())
    if existing != path and not existing.is_dir():
        raise Problem("data.not_a_directory", f"{uri!r}: {existing} is a file, nothing can lie below it")
    if direction == "WRITE":
        if not existing.is_dir():
            raise Problem("data.not_a_directory", f"{uri!r} is a file: outputs are written below a directory")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise Problem("data.not_writable", f"{uri!r}: {existing} may not be written to")
        return
    if not os.access(existing, (os.R_OK | os.X_OK) if existing.is_dir() else os.R_OK):
        raise Problem("data.not_readable", f"{uri!r}: {existing} may not be read")
