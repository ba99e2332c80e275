"""Requests and answers that are larger than a message may be."""

from typing import Any

import msgspec

from osmo_domain.requests import FrontDoorAnswer, Refused, SubmitRequest, Submitted
from osmo_eventlog.enclosing import LARGEST_MESSAGE, enclose, unwrap

SPEC = "workflow:\n  name: wide\n  tasks:\n  - name: t\n    image: i\n    command: [echo]\n    args: ['{}']\n"


async def asked(house: Any, data: bytes) -> FrontDoorAnswer:
    sent = await enclose(data, house.connection.blobs)
    assert len(sent) < 1000
    answer = await house.door.answer(sent)
    assert len(answer) <= LARGEST_MESSAGE
    return msgspec.json.decode(await unwrap(answer, house.connection.blobs), type=FrontDoorAnswer)


async def test_a_large_spec_is_read_from_blobs_and_its_rendering_answered_there(house: Any) -> None:
    words = "word " * 400_000
    request = SubmitRequest("lab", "ada", SPEC.format(words), dry_run=True)
    answer = await asked(house, msgspec.json.encode(request))
    assert isinstance(answer, Submitted)
    assert answer.spec is not None
    assert answer.spec.count("word") == 400_000


async def test_a_request_whose_bytes_are_not_stored_is_refused(house: Any) -> None:
    answer = msgspec.json.decode(await house.door.answer(b'{"type":"enclosed","digest":"none"}'), type=FrontDoorAnswer)
    assert isinstance(answer, Refused)
    assert answer.http_status == 503
