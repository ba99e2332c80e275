"""What a pool asks of every submission: rules, defaults, limits; and pools that were made a moment ago."""

import asyncio
import random
from typing import Any

import msgspec
from services.submit.tests.conftest import NOW, StoppedClock

from osmo_domain.commit import Commit, encode_commit
from osmo_domain.config import ConfigRevised
from osmo_domain.pool import ResourceAssertion
from osmo_domain.requests import Refused, SubmitRequest, Submitted
from osmo_eventlog.memory import MemoryServer
from osmo_eventlog.subjects import FRONT_DOOR, config_revision
from osmo_service.lifecycle import run_app
from osmo_submit.adapters.in_process import InProcessRenderer
from osmo_submit.app import open_app
from osmo_submit.settings import SubmitSettings

SPEC = "workflow: {name: w, tasks: [{name: a, image: i, command: [c]}]}"
TWO = "workflow: {name: w, tasks: [{name: a, image: i, command: [c]}, {name: b, image: i, command: [c]}]}"


def change(house: Any, **fields: Any) -> None:
    pools = house.catalogue.pools
    pools["lab"] = msgspec.structs.replace(pools["lab"], **fields)


def change_platforms(house: Any, **fields: Any) -> None:
    platforms = house.catalogue.pools["lab"].platforms
    change(house, platforms={name: msgspec.structs.replace(one, **fields) for name, one in platforms.items()})


async def test_a_rule_of_the_platform_refuses_and_the_refusal_is_remembered_as_the_reference_does(house: Any) -> None:
    rule = ResourceAssertion("LE", "{{USER_CPU}}", "{{K8_CPU}}", "too many CPUs")
    change_platforms(house, assertions=(rule, ResourceAssertion("GT", "{{USER_CPU}}", "0", "at least one CPU")))
    refusal = await house.refusal(SPEC)
    assert (refusal.code, refusal.error_code) == ("admission.rule", "USER")
    assert refusal.message == "Task a: at least one CPU."
    asking = SPEC.replace("name: w,", "name: w, resources: {default: {cpu: 1}},")
    assert (await house.submit(asking, validation_only=True)).logs


async def test_defaults_of_the_platform_are_what_the_task_gets(house: Any) -> None:
    change_platforms(house, variables={"USER_CPU": 2, "USER_MEMORY": "1Gi"})
    name = (await house.submit(SPEC)).name
    (group,) = (await house.submitted(name)).plan.groups
    assert (group.tasks[0].resources.cpu, group.tasks[0].resources.memory_bytes) == (2, 1 << 30)


async def test_a_pool_limits_the_tasks_of_a_workflow_and_the_workflows_at_once(house: Any) -> None:
    change(house, max_num_tasks=1, max_num_workflows=2)
    assert (await house.refusal(TWO)).code == "spec.too_many_tasks"
    await house.submit(SPEC, pool_alive_workflows=1)
    refusal = await house.refusal(SPEC, pool_alive_workflows=2)
    assert (refusal.code, refusal.error_code) == ("submit.pool_workflows", "USAGE")


async def test_a_pool_in_maintenance_is_for_admins(house: Any) -> None:
    refusal = await house.refusal(SPEC, pool="closed")
    assert (refusal.code, refusal.error_code) == ("submit.maintenance", "USAGE")
    assert (await house.submit(SPEC, pool="closed", roles=("osmo-admin",))).name


async def test_a_pool_that_was_made_a_moment_ago_is_known() -> None:
    """The answer waits until this service has heard of every write of the configuration."""
    server = MemoryServer(StoppedClock(), random.Random(0))
    connection, user = server.connect("submit"), server.connect("user")
    async with open_app(SubmitSettings(), connection, StoppedClock(), random.Random(1), InProcessRenderer()) as app:
        stop = asyncio.Event()
        running = asyncio.create_task(run_app(app, stop))
        async with asyncio.timeout(5):
            await app.ready.wait()
        pool = {"backend": "b", "default_platform": "p", "platforms": {"p": {}}}
        event = ConfigRevised("POOL", {"new": msgspec.Raw(msgspec.json.encode(pool))})
        commit = Commit(id="c", at=NOW, actor="ann", events=[event])
        await user.log.append(config_revision("pool"), encode_commit(commit), message_id="c", expected=0)
        for name, kind in (("new", Submitted), ("gone", Refused)):
            question = msgspec.json.encode(SubmitRequest(name, "ann", SPEC, validation_only=True))
            answer = msgspec.json.decode(await user.requests.ask(FRONT_DOOR, question, timeout_s=5), type=kind)
            assert isinstance(answer, kind)
        stop.set()
        await running
