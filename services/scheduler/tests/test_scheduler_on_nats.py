"""The same scheduler on a real NATS server, in real time."""

import contextlib
import random

from libs.domain.tests.life import plan, single
from services.scheduler.tests.test_scheduler_life import living
from services.scheduler.tests.world import World

from osmo_domain.workflow.status import WorkflowStatus
from osmo_eventlog.nats import apply_streams, connect
from osmo_service.clock import SystemClock


async def test_workflows_run_to_their_end_over_a_stop_and_a_new_start(nats_url: str) -> None:
    rng = random.Random(1)
    async with contextlib.AsyncExitStack() as stack:
        names = iter([await stack.enter_async_context(connect(nats_url, name=f"c{n}", rng=rng)) for n in range(3)])
        world = World(SystemClock(), lambda _: next(names))
        await apply_streams(world.connection)
        try:
            await world.set_up()
            first = await (await world.start()).ready()
            await world.submit("wf-1", plan(single("a"), single("b", "a"), single("c", "b")))
            await world.submit("wf-2", plan(single("a")))
            async with living(world, step_s=0.05):
                await world.until_over("wf-2")
                await first.stop()
                await (await world.start()).ready()
                ended = await world.until_over("wf-1", "wf-2")
        finally:
            await world.tear_down()
    assert {state.status for state in ended} == {WorkflowStatus.COMPLETED}
    assert len(world.cluster.made) == 4
