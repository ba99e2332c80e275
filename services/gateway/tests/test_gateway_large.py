"""Specs that are larger than a message may be."""

import io

import msgspec
from msgspec import Raw
from services.gateway.tests.gateway_house import SEED, open_house

from osmo_domain.commit import Commit, encode_commit
from osmo_domain.config import ConfigSet
from osmo_domain.requests import SubmitRequest, Submitted
from osmo_eventlog.subjects import config

MIB = 1 << 20


async def test_a_large_spec_and_its_large_answer_pass_in_small_messages() -> None:
    spec = "# wide\n" * (MIB * 2 // 7)
    async with open_house() as house:
        house.answer = lambda _: Submitted("w", spec=spec)
        async with house.session.post(
            "/api/pool/default/workflow?dry_run=true", data=io.BytesIO(msgspec.json.encode({"file": spec}))
        ) as answer:
            assert (answer.status, (await answer.json())["spec"]) == (200, spec)
        (asked,) = house.asked
        assert isinstance(asked, SubmitRequest)
        assert asked.file == spec
        assert max(house.sizes) < 1000


async def test_a_spec_above_the_limit_is_refused_before_anybody_carries_it() -> None:
    async with open_house() as house:
        most = msgspec.structs.replace(SEED.workflow, max_spec_bytes=1000)
        commit: Commit[object] = Commit(
            "limits", house.clock.now(), "t", [ConfigSet("workflow", "workflow", Raw(msgspec.json.encode(most)))]
        )
        await house.connection.log.publish(config("workflow", "workflow"), encode_commit(commit), message_id="limits")
        house.answer = lambda _: Submitted("w", logs="fine")
        status, body = 200, {}
        while status == 200:
            async with house.session.post(
                "/api/pool/default/workflow?validation_only=true", json={"file": "x" * 1001}
            ) as answer:
                status, body = answer.status, await answer.json()
        assert (status, body["code"]) == (400, "spec.too_large")
