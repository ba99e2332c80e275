"""Fixtures for every member's tests: real servers, one of each per worker process, and a fresh corner of it per test."""

import contextlib
import importlib.util
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _load_servers() -> ModuleType:
    """tests/servers.py, by path: the tests are no installed package."""
    name = "osmo_test_servers"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "tests" / "servers.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def servers() -> ModuleType:
    """The module tests/servers.py."""
    return _load_servers()


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
