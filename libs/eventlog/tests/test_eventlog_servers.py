"""The fixtures of the root's conftest.py give what they say."""

from typing import Any


def test_a_nats_server_keeps_its_port_over_a_restart(nats_server: Any) -> None:
    url = nats_server.url
    nats_server.restart()
    assert nats_server.url == url


def test_each_database_is_fresh(postgres_server: Any, database_url: str) -> None:
    assert database_url.startswith("postgresql://")
    assert postgres_server.url("") != database_url
