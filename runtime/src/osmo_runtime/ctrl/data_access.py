"""May this task read its inputs and write its outputs? Asked before the command starts, so that nobody computes for hours what cannot be stored.

Only of URLs that the user wrote, and only of those on servers; checkpoints are not asked for.
"""

import asyncio
import random
from collections.abc import Callable, Iterable

from osmo_runtime import exit_codes
from osmo_runtime.ctrl.failure import CtrlFailure
from osmo_runtime.pod import PodInput, PodOutput
from osmo_storage import (
    BadUri,
    Direction,
    S3Location,
    StorageAccess,
    StorageError,
    StorageRefused,
    check_bucket,
    parse_uri,
)

ATTEMPTS = 3
WITHIN_S = 30.0

Asked = tuple[S3Location, Direction]


async def check_access(
    inputs: Iterable[PodInput],
    outputs: Iterable[PodOutput],
    access: StorageAccess,
    say: Callable[[str], None],
    rng: random.Random,
) -> None:
    """Raises CtrlFailure: 14 where a server says no, 13 where none says anything, 30 for a URL that names no place."""
    for place in dict.fromkeys(_places(inputs, outputs)):
        await _check_one(place, access, say, rng)


def _places(inputs: Iterable[PodInput], outputs: Iterable[PodOutput]) -> Iterable[Asked]:
    yield from _on_servers((each.url for each in inputs if not each.task), "READ")
    yield from _on_servers((each.url for each in outputs if not each.intermediate), "WRITE")


def _on_servers(urls: Iterable[str], direction: Direction) -> Iterable[Asked]:
    for url in urls:
        try:
            location = parse_uri(url)
        except BadUri as error:
            raise CtrlFailure(exit_codes.BAD_INPUT, error.message) from error
        if isinstance(location, S3Location):
            yield location, direction


async def _check_one(place: Asked, access: StorageAccess, say: Callable[[str], None], rng: random.Random) -> None:
    for number in range(1, ATTEMPTS + 1):
        error = (await check_bucket([place], access, within_s=WITHIN_S)).get(place)
        if error is None:
            return
        if isinstance(error, StorageRefused):
            raise CtrlFailure(exit_codes.NOT_AUTHORISED, f"access to {place[0]} is refused: {error}")
        _say_or_fail(number, error, say)
        await asyncio.sleep(2.0**number * rng.uniform(0.5, 1))


def _say_or_fail(number: int, error: StorageError, say: Callable[[str], None]) -> None:
    if number == ATTEMPTS:
        raise CtrlFailure(exit_codes.AUTHORISATION_UNKNOWN, f"access cannot be checked: {error}")
    say(f"Access cannot be checked yet: {error}")
