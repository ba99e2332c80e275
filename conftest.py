"""Fixtures for every member's tests: real servers, one of each per worker process, and a fresh corner of it per test."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from tests import servers as real_servers

# A shared machine is slow at times, and that is no finding. CI tries the same examples every time.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("house"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "house")


@pytest.fixture(scope="session")
def servers() -> ModuleType:
    """The module tests/servers.py."""
    return real_servers


@pytest.fixture
def nats_server(servers: ModuleType) -> Iterator[Any]:
    """A NATS server of this test alone: `url`, `stop()`, `kill()`, `start()`, `restart()` on the same port and store."""
    with servers.running_nats() as server:
        yield server


@pytest.fixture
def nats_url(nats_server: Any) -> str:
    """The URL of a NATS server of this test alone; its streams are not there yet (`apply_streams`)."""
    return str(nats_server.url)


@pytest.fixture(scope="session")
def postgres_server(servers: ModuleType) -> Iterator[Any]:
    with servers.running_postgres() as server:
        yield server


_NUMBERS = itertools.count(1)


@pytest.fixture
def database_url(postgres_server: Any) -> Iterator[str]:
    """The URL of a fresh, empty database."""
    name = f"test_{next(_NUMBERS)}"
    yield postgres_server.create_database(name)
    with contextlib.suppress(RuntimeError):
        postgres_server.drop_database(name)
