"""The step before every start: streams are there as declared, however often and in however many copies it is asked."""

import asyncio
import random

import pytest

from osmo_eventlog.nats import connect
from osmo_eventlog.streams import STREAMS
from osmo_gateway.streams import declare
from osmo_service.settings import BadSettings


async def test_streams_are_there_after_it_and_again_after_another_time(nats_url: str) -> None:
    for _ in range(2):
        await asyncio.to_thread(declare, {"OSMO_NATS_URL": nats_url})
    async with connect(nats_url, name="test", rng=random.Random(1)) as connection:
        found = {info.config.name for info in await connection.link.js.streams_info()}
    assert {spec.name for spec in STREAMS} < found


def test_copies_are_an_odd_number_that_a_cluster_can_agree_on() -> None:
    with pytest.raises(BadSettings, match="stream_replicas"):
        declare({"OSMO_STREAM_REPLICAS": "2"})
