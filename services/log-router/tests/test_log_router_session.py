"""One conversation at a time: what is admitted, stored, acknowledged and refused."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from osmo_api.ctrl import Acked, Action, Bye, Hello, Lines, Report, ReportAcked, Welcome
from osmo_domain.errors import Transient
from osmo_domain.requests import CtrlAnswer, Done, RestartCommand
from osmo_domain.task_token import task_token
from osmo_eventlog.subjects import ctrl_questions
from osmo_log_router.attempt import Attempt, parse_attempt
from osmo_log_router.over import OUT_OF_STEP, REFUSED, SessionOver
from osmo_log_router.session import Session, open_session

Run = Callable[..., Any]
ATTEMPT = Attempt("wf-1", "task", 0)
AT = 1_700_000_000_000


def lines(first: int, *texts: str, **rest: Any) -> Lines:
    return Lines(first, [(AT, "STDOUT", text) for text in texts], **rest)


@asynccontextmanager
async def talking(world: Any, conversation: Any, attempt: Attempt = ATTEMPT, **router: Any) -> AsyncIterator[Session]:
    """A router, a workflow, and a session that was welcomed."""
    if not await world.log.last("WORKFLOWS", f"osmo.workflow.*.{attempt.workflow_id}"):
        await world.submit(attempt.workflow_id)
    async with world.router(**router) as app, open_session(app.router, attempt, conversation.hear) as session:
        token = task_token(world.KEY, attempt.workflow_id, attempt.task, attempt.retry_id)
        await session.receive(Hello(token, "1"))
        yield session


def test_a_session_that_ends_leaves_its_room(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        await world.submit("wf-1")
        async with world.router() as app:
            for _ in range(3):
                async with open_session(app.router, ATTEMPT, make_conversation().hear) as session:
                    await session.receive(Hello(task_token(world.KEY, "wf-1", "task", 0), "1"))
                    assert app.router.line_room.senders == 1
            async with open_session(app.router, ATTEMPT, make_conversation().hear):
                assert app.router.line_room.senders == 0, "it has said nothing yet"
            assert app.router.line_room.senders == 0

    run_world(main)


def test_lines_are_acknowledged_when_they_are_stored(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        talk = make_conversation()
        async with talking(world, talk) as session:
            await session.receive(lines(0, "a", "b"))
            await session.receive(lines(2, "c", end=True))
            await talk.until(lambda heard: Acked(3, True) in heard)
            assert talk.heard[0] == Welcome(0, 0)
        assert await world.texts(ATTEMPT) == ["a", "b", "c"]
        assert (await world.batches(ATTEMPT))[-1].end

    run_world(main)


def test_lines_that_come_while_an_append_is_under_way_share_a_batch(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        talk = make_conversation()
        async with talking(world, talk) as session:
            for position in range(100):
                await session.receive(lines(position, f"line {position}"))
            await talk.until(lambda heard: Acked(100, False) in heard)
        assert len(await world.batches(ATTEMPT)) < 10
        assert len(await world.texts(ATTEMPT)) == 100

    run_world(main)


def test_a_wrong_token_gets_a_bye_and_nothing_is_stored(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        await world.submit("wf-1")
        talk = make_conversation()
        async with world.router() as app:
            for token in ("", "0" * 64, "ü" * 64, task_token(world.KEY, "wf-1", "task", 1)):
                with pytest.raises(SessionOver) as over:
                    async with open_session(app.router, ATTEMPT, talk.hear) as session:
                        await session.receive(Hello(token, "1"))
                assert over.value.code == REFUSED
        assert [type(frame) for frame in talk.heard] == [Bye] * 4

    run_world(main)


def test_a_workflow_that_does_not_exist_gets_a_bye(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        talk = make_conversation()
        async with world.router(key=None) as app:
            with pytest.raises(SessionOver, match="no workflow wf-1"):
                async with open_session(app.router, ATTEMPT, talk.hear) as session:
                    await session.receive(Hello("anything", "1"))

    run_world(main)


@pytest.mark.parametrize(
    "frame",
    [
        b"{",
        b"\xff",
        b'{"type":"what"}',
        b'{"type":"lines","first":0,"lines":[[1,"STDOUT"]]}',
        b"[]",
        b'{"type":"hello"}',
    ],
)
def test_a_frame_that_makes_no_sense_gets_a_bye(run_world: Run, make_conversation: Any, frame: bytes) -> None:
    async def main(world: Any) -> None:
        talk = make_conversation()
        with pytest.raises(SessionOver, match="not understood"):
            async with talking(world, talk) as session:
                await session.receive_raw(frame)
        assert isinstance(talk.heard[-1], Bye)

    run_world(main)


@pytest.mark.parametrize(
    "bad",
    [
        Lines(0, [(AT, "NOWHERE", "x")]),
        Lines(0, [(-1, "STDOUT", "x")]),
        Lines(0, [(10**18, "STDOUT", "x")]),
        Lines(0, [(AT, "STDOUT", "x" * 70_000)]),
        Lines(-1, [(AT, "STDOUT", "x")]),
        Report(0, "EXECUTING", 10**18),
        Hello("again", "1"),
    ],
)
def test_values_that_nothing_could_store_get_a_bye(run_world: Run, make_conversation: Any, bad: Any) -> None:
    async def main(world: Any) -> None:
        talk = make_conversation()
        with pytest.raises(SessionOver) as over:
            async with talking(world, talk) as session:
                await session.receive(bad)
        assert over.value.code == REFUSED
        assert isinstance(talk.heard[-1], Bye)
        assert await world.texts(ATTEMPT) == []

    run_world(main)


def test_nothing_is_taken_before_hello(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        await world.submit("wf-1")
        async with world.router() as app:
            with pytest.raises(SessionOver, match="hello"):
                async with open_session(app.router, ATTEMPT, make_conversation().hear) as session:
                    await session.receive(lines(0, "a"))

    run_world(main)


def test_a_gap_is_refused_once_and_recorded_as_dropped_when_it_comes_back(
    run_world: Run, make_conversation: Any
) -> None:
    async def main(world: Any) -> None:
        await world.submit("wf-1")
        token = task_token(world.KEY, "wf-1", "task", 0)
        async with world.router() as app:
            async with open_session(app.router, ATTEMPT, make_conversation().hear) as session:
                await session.receive(Hello(token, "1"))
                with pytest.raises(SessionOver) as over:
                    await session.receive(lines(5, "f"))
            assert over.value.code == OUT_OF_STEP
            assert await world.batches(ATTEMPT) == []
            talk = make_conversation()
            async with open_session(app.router, ATTEMPT, talk.hear) as session:
                await session.receive(Hello(token, "1"))
                await session.receive(lines(5, "f", dropped=1))
                await talk.until(lambda heard: Acked(6, False) in heard)
        (batch,) = await world.batches(ATTEMPT)
        assert (batch.first, batch.dropped) == (5, 6)

    run_world(main)


def test_repeated_and_overlapping_frames_store_each_line_once(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        talk = make_conversation()
        async with talking(world, talk) as session:
            for frame in (
                lines(0, "a", "b"),
                lines(0, "a", "b"),
                lines(1, "b", "c"),
                lines(0, "a"),
                lines(3, end=True),
                lines(2, "c", end=True),
            ):
                await session.receive(frame)
            await talk.until(lambda heard: Acked(3, True) in heard)
        assert await world.texts(ATTEMPT) == ["a", "b", "c"]
        assert [batch.end for batch in await world.batches(ATTEMPT)].count(True) == 1

    run_world(main)


def test_after_the_end_marker_everything_is_already_acknowledged(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        talk = make_conversation()
        async with talking(world, talk) as session:
            await session.receive(lines(0, "a", end=True))
            await talk.until(lambda heard: Acked(1, True) in heard)
        again = make_conversation()
        async with talking(world, again) as session:
            await session.receive(lines(1, end=True))
            await again.until(lambda heard: Acked(1, True) in heard)
        assert again.heard[0] == Welcome(1, 0)
        assert await world.texts(ATTEMPT) == ["a"]

    run_world(main)


def test_dropped_lines_stay_in_front_of_the_line_that_follows_them(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        talk = make_conversation()
        async with talking(world, talk) as session:
            await session.receive(lines(0, "a"))
            await session.receive(lines(1, "b"))
            await session.receive(lines(2, "c", dropped=7))
            await talk.until(lambda heard: Acked(3, False) in heard)
        batches = await world.batches(ATTEMPT)
        assert [(batch.first, batch.dropped) for batch in batches if batch.dropped] == [(2, 7)]

    run_world(main)


def test_a_frame_too_large_for_one_message_becomes_several(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        talk = make_conversation()
        texts = ["\u0001" * 30_000 for _ in range(40)]
        async with talking(world, talk) as session:
            await session.receive(lines(0, *texts, end=True))
            await talk.until(lambda heard: Acked(40, True) in heard)
        assert await world.texts(ATTEMPT) == texts
        assert len(await world.batches(ATTEMPT)) > 1

    run_world(main)


def test_attempts_of_one_task_are_apart(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        for retry_id in (0, 1):
            talk = make_conversation()
            async with talking(world, talk, Attempt("wf-1", "task", retry_id)) as session:
                await session.receive(lines(0, f"try {retry_id}"))
                await session.receive(Report(0, "EXECUTING", AT))
                await talk.until(lambda heard: Acked(1, False) in heard and ReportAcked(1) in heard)
            assert talk.heard[0] == Welcome(0, 0)
        assert await world.texts(Attempt("wf-1", "task", 1)) == ["try 1"]
        assert await world.reports(Attempt("wf-1", "task", 1)) == ["EXECUTING"]

    run_world(main)


def test_reports_are_stored_once_and_welcome_names_the_next(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        await world.submit("wf-1", shard=3)
        talk = make_conversation()
        async with talking(world, talk) as session:
            for frame in (Report(0, "CONNECTED", AT), Report(1, "DOWNLOADING", AT), Report(0, "CONNECTED", AT)):
                await session.receive(frame)
            await session.receive(Report(2, "EXECUTED", AT, exit_code=3, message="x" * 100_000))
            await talk.until(lambda heard: ReportAcked(3) in heard)
        again = make_conversation()
        async with talking(world, again):
            assert again.heard[0] == Welcome(0, 3)
        assert await world.reports(ATTEMPT, shard=3) == ["CONNECTED", "DOWNLOADING", "EXECUTED"]

    run_world(main)


def test_a_phase_of_a_newer_release_is_passed_over_and_acknowledged(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        talk = make_conversation()
        async with talking(world, talk) as session:
            await session.receive(Report(0, "LEVITATING", AT))
            await session.receive(Report(1, "EXECUTED", AT, exit_code=0))
            await talk.until(lambda heard: ReportAcked(2) in heard)
        assert await world.reports(ATTEMPT) == ["EXECUTED"]

    run_world(main)


def test_a_cut_link_slows_the_sender_and_bounds_what_waits(run_world: Run, make_conversation: Any) -> None:
    async def main(world: Any) -> None:
        await world.submit("wf-1")
        talk, sent = make_conversation(), 0
        connection = world.server.connect("log-router")
        from osmo_log_router.app import open_app
        from osmo_log_router.settings import NO_SOCKET, LogRouterSettings

        opened = open_app(LogRouterSettings(log_router_port=NO_SOCKET), connection, world.clock, world.rng, None)
        async with opened as app, open_session(app.router, ATTEMPT, talk.hear) as session:
            await session.receive(Hello("", "1"))
            connection.cut()

            async def flood() -> None:
                nonlocal sent
                for number in range(200):
                    await session.receive(lines(number * 100, *["x" * 1000] * 100))
                    sent += 1

            flooding = asyncio.create_task(flood())
            await asyncio.sleep(60)
            assert sent < 20, "the sender must wait while the log is away"
            connection.heal()
            await flooding
            await talk.until(lambda heard: Acked(20_000, False) in heard)
        assert len(await world.texts(ATTEMPT)) == 20_000

    run_world(main)


@pytest.mark.parametrize(
    "parts",
    [
        ("wf", "t", "0"),
        ("wf-1", "a.b", "0"),
        ("wf-1", "*", "0"),
        ("wf-1", "t", "-1"),
        ("wf-1", ">", "0"),
        ("a.b-1", "t", "0"),
        ("wf-1", "t", "٣"),
    ],
)
def test_only_names_become_part_of_a_subject(parts: tuple[str, str, str]) -> None:
    assert parse_attempt(*parts) is None


def test_whoever_shows_the_attempts_token_may_restart_a_command_that_no_agent_reaches(
    run_world: Run, make_conversation: Any
) -> None:
    async def main(world: Any) -> None:
        await world.submit(ATTEMPT.workflow_id)
        token = task_token(world.KEY, ATTEMPT.workflow_id, ATTEMPT.task, ATTEMPT.retry_id)
        subject = ctrl_questions(ATTEMPT.workflow_id, ATTEMPT.task, ATTEMPT.retry_id)
        agent = world.server.connect("agent").requests
        talk = make_conversation()

        async def ask(**changed: Any) -> Any:
            question = RestartCommand(**{"retry_id": 0, "restarts": 2, "token": token, **changed})
            answer = await agent.ask(subject, msgspec.json.encode(question), timeout_s=5)
            return msgspec.json.decode(answer, type=CtrlAnswer)

        async with world.router() as app, open_session(app.router, ATTEMPT, talk.hear) as session:
            await session.receive(Hello(token, "1", restarts_by_router=True))
            assert (await ask(token="0" * 64)).code == "ctrl.unproven"
            assert (await ask(token="ü")).code == "ctrl.unproven"
            assert (await ask(retry_id=1)).code == "ctrl.unproven"
            assert talk.heard == [Welcome(0, 0)]
            assert await ask() == Done("wf-1/task/0")
            assert talk.heard[1:] == [Action("restart", restarts=2)]
        with pytest.raises(Transient):
            await ask()

    run_world(main)
