"""May a user read or write at places that servers keep? Asked of those servers, with the user's keys, and with nobody's where there are none."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from osmo_data.access import Problem
from osmo_storage import Direction, S3Location, StorageAccess, StorageError, check_bucket

Asked = tuple[S3Location, Direction]

MOST_PLACES: Final = 32
"""Of one bucket: of a workflow that names more, the rest is taken to be like them."""
MOST_BUCKETS: Final = 16
"""At once."""
WITHIN_S: Final = 5.0


async def check_servers(asked: Sequence[Asked], access: StorageAccess) -> dict[Asked, Problem]:
    """What stands in the way, by place. Every bucket has WITHIN_S."""
    found: dict[Asked, Problem] = {}
    limit = asyncio.Semaphore(MOST_BUCKETS)

    async def one(places: Sequence[Asked]) -> None:
        async with limit:
            errors = await check_bucket(places, access, within_s=WITHIN_S)
        for place, error in errors.items():
            found[place] = _problem(place[0], error, access)

    async with asyncio.TaskGroup() as group:
        for places in _by_keys(asked, access).values():
            group.create_task(one(places[:MOST_PLACES]))
    return found


def _by_keys(asked: Sequence[Asked], access: StorageAccess) -> Mapping[tuple[str, int], list[Asked]]:
    """Places of one bucket for which the same keys count."""
    grouped: dict[tuple[str, int], list[Asked]] = {}
    for place, direction in dict.fromkeys(asked):
        grouped.setdefault((place.bucket, id(access.keys_for(place))), []).append((place, direction))
    return grouped


def _problem(place: S3Location, error: StorageError, access: StorageAccess) -> Problem:
    if access.keys_for(place) or error.code == "storage.no_bucket":
        return Problem(_CODES.get(error.code, "data.unreachable"), str(error))
    profile = f"s3://{place.bucket}"
    return Problem(
        "data.no_credential",
        f"{error}, and you have no DATA credential for {profile}: osmo credential set my-data --type DATA "
        f"--payload endpoint={profile} access_key_id=... access_key=...",
    )


_CODES: Final = {
    "storage.no_bucket": "data.no_bucket",
    "storage.access_denied": "data.access_denied",
    "storage.bad_keys": "data.bad_keys",
}
