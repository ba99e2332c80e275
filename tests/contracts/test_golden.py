"""What old logs hold stays readable: every golden sample is decoded by today's code, and nothing of it is lost."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tools import gen

from osmo_domain.commit import CommitCodec, UnknownEvent

ROOT = Path(__file__).resolve().parents[2]


FAMILIES = {family.name: family for family in gen.FAMILIES}
SAMPLES = sorted((ROOT / "proto" / "golden").glob("*/*.json"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_sample_is_decoded_and_nothing_of_it_is_lost(path: Path) -> None:
    family = FAMILIES[path.parent.name]
    data = path.read_bytes()
    if family.committed:
        decoded: Any = CommitCodec(family.union).decode(data)
        assert not any(isinstance(event, UnknownEvent) for event in decoded.events)
    else:
        decoded = msgspec.json.decode(data, type=family.union)
    assert contains(json.loads(msgspec.json.encode(decoded)), json.loads(data))


def contains(now: Any, then: Any) -> bool:
    """Everything of `then` is in `now`; new fields may have come."""
    if isinstance(then, dict):
        return isinstance(now, dict) and all(key in now and contains(now[key], value) for key, value in then.items())
    if isinstance(then, list):
        return isinstance(now, list) and len(now) == len(then) and all(map(contains, now, then))
    return bool(now == then)


def test_every_message_that_is_kept_has_a_sample() -> None:
    assert gen.missing_samples() == {}


def test_what_is_generated_is_current() -> None:
    stale = [path.name for path, text in gen.generated().items() if not path.exists() or path.read_text() != text]
    assert stale == []


def test_an_event_of_a_newer_release_is_kept_as_it_is() -> None:
    codec = CommitCodec[Any](FAMILIES["workflow-event"].union)
    event = {"type": "task.teleported", "task": "t", "where": "moon"}
    data = json.dumps({"id": "1", "at": "2026-11-20T11:00:00Z", "actor": "a", "events": [event]}).encode()
    (unknown,) = codec.decode(data).events
    assert isinstance(unknown, UnknownEvent)
    assert unknown.type == "task.teleported"
    assert json.loads(bytes(unknown.body)) == event
