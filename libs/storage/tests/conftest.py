"""One S3-compatible server for all tests of this member, and places in it and on disk."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.object_storage import ObjectServer, object_server

from osmo_storage import ANONYMOUS, Pace, StorageAccess

QUICK = Pace(attempts=5, first_pause_s=0.02, longest_pause_s=0.2, connect_s=2, patience_s=5)
"""For servers that are to fail."""

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def s3() -> Iterator[ObjectServer]:
    with object_server() as server:
        yield server


@pytest.fixture
def bucket(s3: ObjectServer) -> str:
    """A fresh one."""
    name = f"bucket-{next(_NUMBERS)}"
    s3.make_bucket(name)
    return name


@dataclass
class Place:
    """A fresh, empty place, and who may use it."""

    uri: str
    access: StorageAccess


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "file":
        return Place(f"file://{tmp_path}/store", ANONYMOUS)
    server, bucket = request.getfixturevalue("s3"), request.getfixturevalue("bucket")
    return Place(f"s3://{bucket}/st ore", StorageAccess({f"s3://{bucket}": server.keys()}))


@pytest.fixture
def quick() -> Pace:
    return QUICK
