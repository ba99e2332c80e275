"""Upload, download and list by URI. The only file that knows which adapter serves which scheme.

Keys are relative to the prefix that a URI names, with `/` between components. A regular expression is matched at the start of the key.
"""

import asyncio
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from osmo_storage import local
from osmo_storage.access import ANONYMOUS, StorageAccess
from osmo_storage.at_once import each
from osmo_storage.pace import Pace
from osmo_storage.progress import Progress, no_progress
from osmo_storage.stored import StorageError, StoredObject, Transferred
from osmo_storage.uri import FileLocation, S3Location, parse_uri

DEFAULT_PACE = Pace()

Direction = Literal["READ", "WRITE"]


class BadRegex(ValueError):
    """A filter that does not compile; the message is fit for the user."""


async def upload(
    directory: Path,
    uri: str,
    *,
    regex: str = "",
    progress: Progress = no_progress,
    access: StorageAccess = ANONYMOUS,
    resume: bool = False,
    pace: Pace = DEFAULT_PACE,
    rng: random.Random | None = None,
) -> Transferred:
    """Put the content of `directory` (or the one file that it is) below `uri`, replacing objects of the same key. Returns when all of it is durable and verified.

    Links to files are followed, links to directories are not; sockets, pipes and devices are named in `skipped`. A file that cannot be
    read, or that shrinks meanwhile, raises StorageError: what was promised to be stored is stored, or the caller knows. A file
    that grows meanwhile is stored as long as it was when its turn came. With `resume`, a server that has a file already with the same content
    is not sent it again.
    """
    location, wanted = parse_uri(uri), _filter(regex)
    if isinstance(location, FileLocation):
        return await local.upload(directory, Path(location.path), wanted, progress)
    from osmo_storage import s3

    async with s3.connected(location, access, pace, rng or random.Random()) as connection:
        return await s3.upload(connection, directory, wanted, progress, resume=resume)


async def download(
    uri: str,
    directory: Path,
    *,
    regex: str = "",
    progress: Progress = no_progress,
    access: StorageAccess = ANONYMOUS,
    resume: bool = False,
    pace: Pace = DEFAULT_PACE,
    rng: random.Random | None = None,
) -> Transferred:
    """Bring the objects below `uri` into `directory`, which is made if it is missing. A prefix without objects is no error: 0 files.

    Where `uri` names an object itself, that one is brought, under its last component, and the filter does not apply. With `resume`, a file
    that is there already with the content that a server has is not fetched again.
    """
    location, wanted = parse_uri(uri), _filter(regex)
    if isinstance(location, FileLocation):
        return await local.download(Path(location.path), directory, wanted, progress)
    from osmo_storage import s3

    async with s3.connected(location, access, pace, rng or random.Random()) as connection:
        return await s3.download(connection, directory, wanted, progress, resume=resume)


async def list_objects(
    uri: str,
    *,
    regex: str = "",
    access: StorageAccess = ANONYMOUS,
    pace: Pace = DEFAULT_PACE,
    rng: random.Random | None = None,
) -> list[StoredObject]:
    """Every object below `uri`, ordered by key."""
    location, wanted = parse_uri(uri), _filter(regex)
    if isinstance(location, FileLocation):
        return await local.list_objects(Path(location.path), wanted)
    from osmo_storage import s3

    async with s3.connected(location, access, pace, rng or random.Random()) as connection:
        return await s3.list_objects(connection, wanted)


async def check_bucket(
    places: Sequence[tuple[S3Location, Direction]], access: StorageAccess, *, within_s: float = 5
) -> dict[tuple[S3Location, Direction], StorageError]:
    """What stands in the way of reading or writing at these places of one bucket; nothing is left there. `access` is that of the first.

    A server that does not say so in time stands in the way of all that it said nothing about.
    """
    from osmo_storage import s3

    found: dict[tuple[S3Location, Direction], StorageError] = {}
    silent = dict.fromkeys(places)
    pace = replace(DEFAULT_PACE, attempts=2, connect_s=within_s, patience_s=within_s)

    async def one(asked: tuple[S3Location, Direction]) -> None:
        try:
            await s3.check(connection, *asked)
        except StorageError as error:
            found[asked] = error
        del silent[asked]

    bucket = places[0][0]
    try:
        async with asyncio.timeout(within_s), s3.connected(bucket, access, pace, random.Random()) as connection:
            await each(list(silent), one, pace.at_once)
    except StorageError as error:
        return dict.fromkeys(places, error)
    except TimeoutError:
        words = f"s3://{bucket.bucket}: its server does not answer within {within_s:g} s"
        found.update(dict.fromkeys(silent, StorageError(words, "storage.unreachable")))
    return found


def _filter(regex: str) -> Callable[[str], bool]:
    if not regex:
        return lambda _: True
    try:
        pattern = re.compile(regex)
    except re.error as error:
        raise BadRegex(f"{regex!r} is not a regular expression: {error}") from error
    return lambda key: pattern.match(key) is not None
