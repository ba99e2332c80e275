"""The start barrier over connections that break, routers that end, and several of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from osmo_api.ctrl import Action, Barrier, Hello, Report
from osmo_domain.cluster import ContainerState, PodFact, PodPhase
from osmo_domain.commit import Commit, encode_commit
from osmo_domain.plan import GroupPlan, Plan, TaskPlan
from osmo_domain.workflow.decide import decide_placed, decide_pods, decide_start
from osmo_domain.workflow.events import WorkflowEvent, WorkflowSubmitted
from osmo_domain.workflow.evolve import evolve
from osmo_domain.workflow.state import Workflow
from osmo_eventlog import subjects
from osmo_log_router.attempt import Attempt
from osmo_log_router.session import open_session

Run = Callable[..., Any]
GO = Action("barrier")
UUID = "0123456789abcdef" * 2


class Gang:
    """A workflow of one group of two tasks, `a` (its lead) and `b`, that are decided on by hand."""

    def __init__(self, world: Any, *, ignore_nonlead_status: bool = True) -> None:
        self._world = world
        self._seq = 0
        again = {"RESCHEDULE": "1-255"}
        members = (TaskPlan("a", "i", ("c",)), TaskPlan("b", "i", ("c",), lead=False, exit_actions=again))
        group = GroupPlan("g", members, ignore_nonlead_status=ignore_nonlead_status)
        self._plan = Plan("wf", "default", "default", (group,))
        self.state: Workflow | None = None

    async def start(self) -> None:
        now = self._world.clock.now()
        submitted = WorkflowSubmitted("wf-1", UUID, "ann", now, self._plan)
        self.state = evolve(None, submitted)
        assert self.state is not None
        await self._append([submitted])
        await self._append(decide_start(self.state, now))
        await self.place("a", "b")
        await self.pods(PodPhase.RUNNING, "a", "b")

    async def place(self, *tasks: str) -> None:
        assert self.state is not None
        await self._append(decide_placed(self.state, "g", dict.fromkeys(tasks, "node"), self._world.clock.now()))

    async def goes_again(self, task: str) -> None:
        """Its command failed; the next attempt runs."""
        await self.pods(PodPhase.FAILED, task)
        await self.place(task)
        await self.pods(PodPhase.RUNNING, task)

    async def pods(self, phase: PodPhase, *tasks: str) -> None:
        assert self.state is not None
        now = self._world.clock.now()
        retry_ids = {name: task.attempt.retry_id for name, task in self.state.tasks.items()}
        failed = (ContainerState("c", "user", 7),) if phase is PodPhase.FAILED else ()
        facts = [
            PodFact("wf-1", UUID, "g", task, retry_ids[task], "pod", phase, now, containers=failed) for task in tasks
        ]
        await self._append(decide_pods(self.state, facts, now))

    async def _append(self, events: list[WorkflowEvent]) -> None:
        number = self._seq
        data = encode_commit(Commit(f"wf-1/{number}", self._world.clock.now(), "test", events))
        subject = subjects.workflow(0, "wf-1")
        self._seq = await self._world.log.append(subject, data, message_id=f"wf-1/{number}", expected=number)


@asynccontextmanager
async def member(app: Any, talk: Any, task: str, retry_id: int = 0) -> AsyncIterator[Any]:
    async with open_session(app.router, Attempt("wf-1", task, retry_id), talk.hear) as session:
        await session.receive(Hello("", "1"))
        yield session


async def wait_at_barrier(session: Any, number: int = 0, restarts: int = 0) -> None:
    await session.receive(Report(number, "AT_BARRIER", 1_700_000_000_000, restarts=restarts))
    await session.receive(Barrier("ready", "g", restarts=restarts))


async def a_while() -> None:
    await asyncio.sleep(30)


def test_the_group_starts_when_everybody_is_there(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        await Gang(world).start()
        one, other = make_conversation(), make_conversation()
        async with world.router(key=None) as app, member(app, one, "a") as a, member(app, other, "b") as b:
            await wait_at_barrier(a)
            for _ in range(3):
                await a.receive(Barrier("ready", "g"))
                await a_while()
            assert GO not in one.heard
            await wait_at_barrier(b)
            await one.until(lambda heard: GO in heard)
            await other.until(lambda heard: GO in heard)

    run_world(main)


def test_members_at_different_routers_find_each_other(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        await Gang(world).start()
        one, other = make_conversation(), make_conversation()
        async with (
            world.router("r1", key=None) as first,
            world.router("r2", key=None) as second,
            member(first, one, "a") as a,
            member(second, other, "b") as b,
        ):
            await wait_at_barrier(a)
            await a_while()
            await wait_at_barrier(b)
            await one.until(lambda heard: GO in heard)
            await other.until(lambda heard: GO in heard)

    run_world(main)


def test_who_passed_before_a_router_ended_is_not_waited_for_again(run_world: Run, make_conversation: Any) -> None:
    """`a` was told to go, `b` was not when the router died: at the next one, `b` goes, though `a` never comes to the barrier again."""

    async def main(world: Any) -> None:
        await Gang(world).start()
        async with (
            world.router("r1", key=None) as app,
            member(app, make_conversation(), "a") as a,
            member(app, make_conversation(), "b") as b,
        ):
            await wait_at_barrier(a)
            await b.receive(Report(0, "AT_BARRIER", 1_700_000_000_000))
            await a_while()
        talk = make_conversation()
        async with world.router("r2", key=None) as app, member(app, talk, "b") as b:
            await b.receive(Barrier("ready", "g"))
            await talk.until(lambda heard: GO in heard)

    run_world(main)


def test_a_member_that_goes_again_alone_is_let_through(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        gang = Gang(world)
        await gang.start()
        talk = make_conversation()
        async with world.router(key=None) as app:
            async with member(app, make_conversation(), "a") as a, member(app, make_conversation(), "b") as b:
                await wait_at_barrier(a)
                await wait_at_barrier(b)
                await a_while()
            await gang.goes_again("b")
            async with member(app, talk, "b", 1) as b:
                await wait_at_barrier(b)
                await talk.until(lambda heard: GO in heard)

    run_world(main)


def test_a_restarted_gang_meets_again(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        gang = Gang(world, ignore_nonlead_status=False)
        await gang.start()
        one, other = make_conversation(), make_conversation()
        async with world.router(key=None) as app, member(app, one, "a") as a:
            async with member(app, make_conversation(), "b") as b:
                await wait_at_barrier(a)
                await wait_at_barrier(b)
                await one.until(lambda heard: GO in heard)
            await gang.goes_again("b")
            async with member(app, other, "b", 1) as b:
                await wait_at_barrier(b)
                await a_while()
                assert GO not in other.heard, "a has not stopped yet"
                await wait_at_barrier(a, number=1, restarts=1)
                await other.until(lambda heard: GO in heard)
                await one.until(lambda heard: Action("barrier", restarts=1) in heard)

    run_world(main)


def test_a_broken_connection_is_not_told_to_go(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        await Gang(world).start()
        lost, one, other = make_conversation(), make_conversation(), make_conversation()
        async with world.router(key=None) as app:
            async with member(app, lost, "a") as a:
                await wait_at_barrier(a)
                await a_while()
            async with member(app, other, "b") as b:
                await wait_at_barrier(b)
                await other.until(lambda heard: GO in heard)
            assert GO not in lost.heard
            async with member(app, one, "a") as a:
                await a.receive(Barrier("ready", "g"))
                await one.until(lambda heard: GO in heard)

    run_world(main)


def test_a_barrier_of_a_group_that_does_not_exist_never_opens(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        await Gang(world).start()
        talk = make_conversation()
        async with world.router(key=None) as app, member(app, talk, "a") as a:
            await a.receive(Report(0, "AT_BARRIER", 1_700_000_000_000))
            await a.receive(Barrier("ready", "other"))
            await a_while()
            assert GO not in talk.heard

    run_world(main)
