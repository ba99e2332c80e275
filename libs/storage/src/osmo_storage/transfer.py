"""Upload, download and list by URI. The only file that knows which adapter serves which scheme.

Keys are relative to the prefix that a URI names, with `/` between components. A regular expression is matched at the start of the key.
"""

import re
from collections.abc import Callable
from pathlib import Path

from osmo_storage import local
from osmo_storage.stored import StoredObject, Transferred
from osmo_storage.uri import parse_uri

Progress = Callable[[Transferred], None]
"""Told the running total after every file."""


def _no_progress(_: Transferred) -> None:
    return None


class BadRegex(ValueError):
    """A filter that does not compile; the message is fit for the user."""


async def upload(directory: Path, uri: str, *, regex: str = "", progress: Progress = _no_progress) -> Transferred:
    """Put the content of `directory` (or the one file that it is) below `uri`, replacing objects of the same key. Returns when all of it is durable and verified.

    Links to files are followed, links to directories are not; sockets, pipes and devices are named in `skipped`. A file that cannot be
    read, or that shrinks meanwhile, raises StorageError: what was promised to be stored is stored, or the caller knows. A file
    that grows meanwhile is stored as long as it was when its turn came.
    """
    return await local.upload(directory, Path(parse_uri(uri).path), _filter(regex), progress)


async def download(uri: str, directory: Path, *, regex: str = "", progress: Progress = _no_progress) -> Transferred:
    """Bring the objects below `uri` into `directory`, which is made if it is missing. A prefix without objects is no error: 0 files.

    Where `uri` names an object itself, that one is brought, under its last component, and the filter does not apply.
    """
    return await local.download(Path(parse_uri(uri).path), directory, _filter(regex), progress)


async def list_objects(uri: str, *, regex: str = "") -> list[StoredObject]:
    """Every object below `uri`, ordered by key."""
    return await local.list_objects(Path(parse_uri(uri).path), _filter(regex))


def _filter(regex: str) -> Callable[[str], bool]:
    if not regex:
        return lambda _: True
    try:
        pattern = re.compile(regex)
    except re.error as error:
        raise BadRegex(f"{regex!r} is not a regular expression: {error}") from error
    return lambda key: pattern.match(key) is not None
