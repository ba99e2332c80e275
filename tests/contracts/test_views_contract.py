"""Both adapters of WorkflowViews keep the same promises: every test runs over PostgreSQL and over the memory twin."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from osmo_domain.commit import Commit
from osmo_domain.errors import Stale
from osmo_domain.ids import derived_uuid
from osmo_domain.plan import GroupPlan, Plan, Resources, TaskPlan
from osmo_domain.pool import Priority
from osmo_domain.workflow.events import (
    GroupFinished,
    GroupPlaced,
    GroupQueued,
    TaskFinished,
    TaskInitializing,
    TaskRescheduled,
    TaskRunning,
    WorkflowEvent,
    WorkflowFinished,
    WorkflowRejected,
    WorkflowSubmitted,
    WorkflowTagged,
)
from osmo_domain.workflow.status import TaskStatus, WorkflowStatus
from osmo_views.folding import Folder, LoggedCommit
from osmo_views.memory import MemoryWorkflowViews
from osmo_views.pod_events import PodEventRow
from osmo_views.ports import LabelMatch, TaskFilter, WorkflowFilter, WorkflowViews
from osmo_views.postgres import open_workflow_views
from osmo_views.rows import Changes, GpuUse, NodeUse

T0 = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)
GIB = 1 << 30


@pytest.fixture(params=["memory", "postgres"])
async def views(request: pytest.FixtureRequest) -> AsyncIterator[WorkflowViews]:
    if request.param == "memory":
        yield MemoryWorkflowViews()
        return
    async with open_workflow_views(request.getfixturevalue("database_url")) as opened:
        yield opened


class History:
    """A log in memory: commits are recorded, and views are brought up to it."""

    def __init__(self) -> None:
        self.commits: list[LoggedCommit] = []

    def add(self, workflow_id: str, *events: WorkflowEvent) -> None:
        seq = len(self.commits) + 1
        commit = Commit(id=f"c{seq}", at=T0, actor="test", events=list(events))
        self.commits.append(LoggedCommit(seq, 0, workflow_id, commit))

    async def load(self, shard: int, workflow_id: str) -> Sequence[LoggedCommit]:
        return [one for one in self.commits if (one.shard, one.workflow_id) == (shard, workflow_id)]

    async def project(self, views: WorkflowViews, *, batch: int = 100, folder: Folder | None = None) -> Folder:
        folder = folder or Folder(self.load)
        start = await views.checkpoint()
        for first in range(start, len(self.commits), batch):
            some = self.commits[first : first + batch]
            await views.apply(await folder.fold(some, last_seq=some[-1].seq))
        return folder


def a_plan(name: str, *, tasks: int = 1, pool: str = "default", chain: bool = False, **more: object) -> Plan:
    groups = tuple(
        GroupPlan(
            name=f"t{n}-group",
            tasks=(
                TaskPlan(
                    name=f"t{n}",
                    image="i",
                    command=("c",),
                    resources=Resources(cpu=2, gpu=1, memory_bytes=GIB, storage_bytes=2 * GIB),
                ),
            ),
            upstreams=(f"t{n - 1}-group",) if chain and n else (),
        )
        for n in range(tasks)
    )
    return Plan(name=name, pool=pool, backend="b1", groups=groups, **more)  # type: ignore[arg-type]


def submitted(
    name: str, number: int, *, user: str = "ann", minutes: int = 0, plan: Plan | None = None
) -> WorkflowSubmitted:
    return WorkflowSubmitted(
        workflow_id=f"{name}-{number}",
        uuid=derived_uuid(name, str(number)),
        user=user,
        at=T0 + timedelta(minutes=minutes),
        plan=plan or a_plan(name),
        spec_blob="s",
    )


def run_of(task: str, minutes: int = 1) -> list[WorkflowEvent]:
    at = T0 + timedelta(minutes=minutes)
    return [
        GroupQueued(group=f"{task}-group", at=at),
        GroupPlaced(group=f"{task}-group", at=at, backend="b1", nodes={task: "n1"}, retry_ids={task: 0}),
        TaskInitializing(task=task, retry_id=0, at=at),
        TaskRunning(task=task, retry_id=0, at=at, ip="10.0.0.1"),
    ]


def end_of(task: str, status: TaskStatus = TaskStatus.COMPLETED, code: int | None = 0) -> list[WorkflowEvent]:
    at = T0 + timedelta(minutes=9)
    return [
        TaskFinished(task=task, retry_id=0, status=status, at=at, exit_code=code, message="nul:\x00"),
        GroupFinished(group=f"{task}-group", status=status, at=at),
    ]


async def test_empty_views_start_at_zero_and_know_nobody(views: WorkflowViews) -> None:
    assert await views.checkpoint() == 0
    assert await views.workflow("nobody-1") is None
    assert await views.detail("0" * 32) is None
    assert list(await views.workflows(WorkflowFilter())) == []
    assert list(await views.submitters()) == []


async def test_a_submitted_workflow_is_found_by_id_and_by_uuid_with_all_that_it_is_made_of(
    views: WorkflowViews,
) -> None:
    history = History()
    event = submitted("w", 1, plan=a_plan("w", tasks=3, chain=True, labels={"team": "x"}))
    history.add("w-1", event)
    await history.project(views)
    assert await views.checkpoint() == 1
    by_id, by_uuid = await views.detail("w-1"), await views.detail(event.uuid)
    assert by_id is not None
    assert by_id == by_uuid
    assert by_id.workflow.labels == {"team": "x"}
    assert by_id.workflow.status is WorkflowStatus.PENDING
    assert by_id.workflow.submitted_at == event.at
    assert [group.name for group in by_id.groups] == ["t0-group", "t1-group", "t2-group"]
    assert by_id.groups[1].upstreams == ("t0-group",)
    assert by_id.groups[1].downstreams == ("t2-group",)
    assert [attempt.task for attempt in by_id.attempts] == ["t0", "t1", "t2"]
    alone = await views.detail("w-1", groups=False)
    assert alone is not None
    assert (alone.groups, alone.attempts) == ((), ())


async def test_rows_follow_the_events_whether_they_come_one_by_one_or_in_batches(views: WorkflowViews) -> None:
    history = History()
    history.add("w-1", submitted("w", 1))
    for event in [*run_of("t0"), *end_of("t0", TaskStatus.FAILED, 7)]:
        history.add("w-1", event)
    history.add("w-1", WorkflowFinished(status=WorkflowStatus.FAILED, at=T0))
    await history.project(views, batch=1)
    one_by_one = await views.detail("w-1")
    await views.reset()
    assert await views.checkpoint() == 0
    assert await views.detail("w-1") is None
    await history.project(views)
    assert await views.detail("w-1") == one_by_one
    assert one_by_one is not None
    attempt = one_by_one.attempts[0]
    assert (attempt.status, attempt.exit_code, attempt.node, attempt.ip) == (TaskStatus.FAILED, 7, "n1", "10.0.0.1")
    assert attempt.message == "nul:\N{REPLACEMENT CHARACTER}"
    assert one_by_one.groups[0].status is TaskStatus.FAILED
    assert one_by_one.workflow.status is WorkflowStatus.FAILED


async def test_a_state_that_is_not_in_memory_is_loaded_from_the_log(views: WorkflowViews) -> None:
    history = History()
    history.add("w-1", submitted("w", 1))
    await history.project(views)
    history.add("w-1", *run_of("t0"))
    await history.project(views)
    history.add("w-1", *end_of("t0"))
    await history.project(views, folder=Folder(history.load, max_tasks=0))
    found = await views.detail("w-1")
    assert found is not None
    assert found.attempts[0].status is TaskStatus.COMPLETED


async def test_a_batch_that_was_written_before_changes_nothing(views: WorkflowViews) -> None:
    history = History()
    history.add("w-1", submitted("w", 1))
    folder = Folder(history.load)
    changes = await folder.fold(history.commits, last_seq=1)
    assert await views.apply(changes)
    assert not await views.apply(changes)
    assert not await views.apply(Changes(last_seq=1))
    assert await views.apply(Changes(last_seq=5))
    assert await views.checkpoint() == 5


async def test_a_batch_behind_rows_that_a_crash_took_is_refused(views: WorkflowViews) -> None:
    history = History()
    history.add("w-1", submitted("w", 1))
    changes = await Folder(history.load).fold(history.commits, last_seq=7)
    changes.after_seq = 6
    with pytest.raises(Stale):
        await views.apply(changes)
    assert await views.checkpoint() == 0
    assert await views.workflow("w-1") is None
    assert await views.apply(Changes(last_seq=6))
    assert await views.apply(changes)


async def test_a_batch_whose_write_failed_can_be_folded_again(views: WorkflowViews) -> None:
    history = History()
    history.add("w-1", submitted("w", 1))
    history.add("w-1", *run_of("t0"))
    folder = Folder(history.load)
    lost = await folder.fold(history.commits, last_seq=2)
    again = await folder.fold(history.commits, last_seq=2)
    assert again.new_workflows == lost.new_workflows
    await views.apply(again)
    folder.forget()
    history.add("w-1", *end_of("t0"))
    await history.project(views, folder=folder)
    found = await views.detail("w-1")
    assert found is not None
    assert found.attempts[0].status is TaskStatus.COMPLETED


async def test_rescheduled_attempts_stay_visible_when_asked_for(views: WorkflowViews) -> None:
    history = History()
    history.add("w-1", submitted("w", 1))
    history.add("w-1", *run_of("t0"))
    await history.project(views)
    history.add("w-1", TaskRescheduled(task="t0", retry_id=0, at=T0, exit_code=9))
    await history.project(views)
    latest, every = await views.detail("w-1"), await views.detail("w-1", all_attempts=True)
    assert latest is not None
    assert every is not None
    assert [(one.retry_id, one.status) for one in latest.attempts] == [(1, TaskStatus.PROCESSING)]
    assert [(one.retry_id, one.exit_code) for one in every.attempts] == [(1, None), (0, 9)]
    newest, first = await views.attempt("w-1", "t0"), await views.attempt("w-1", "t0", 0)
    assert newest is not None
    assert first is not None
    assert (newest.retry_id, first.retry_id) == (1, 0)
    assert await views.attempt("w-1", "t0", 7) is None
    assert await views.attempt("w-1", "none") is None


@pytest.fixture
async def many(views: WorkflowViews) -> WorkflowViews:
    """Twelve workflows of two users in two pools, submitted a minute apart; w-3 was rejected, w-4 runs, w-5 is done."""
    history = History()
    for n in range(1, 13):
        user, pool = ("ann", "bob")[n % 2], ("east", "west")[n % 3 == 0]
        priority = Priority.HIGH if n == 7 else Priority.NORMAL
        labels = {"team": f"t{n}", "even": "yes"} if n % 2 == 0 else {"team": f"t{n}"}
        if n == 3:
            rejected = WorkflowRejected(
                workflow_id="w-3",
                uuid="3" * 32,
                user="bob",
                pool="west",
                at=T0 + timedelta(minutes=3),
                code="x",
                message="no",
            )
            history.add("w-3", rejected)
            continue
        history.add(
            f"w-{n}",
            submitted("w", n, user=user, minutes=n, plan=a_plan("w", pool=pool, priority=priority, labels=labels)),
        )
    history.add("w-4", *run_of("t0", 20))
    history.add("w-5", *run_of("t0", 21), *end_of("t0"), WorkflowFinished(status=WorkflowStatus.COMPLETED, at=T0))
    history.add("w-8", WorkflowTagged(at=T0, add=("red", "blue")))
    await history.project(views)
    return views


def minutes(n: float) -> datetime:
    return T0 + timedelta(minutes=n)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (WorkflowFilter(), [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        (WorkflowFilter(descending=True, limit=3), [12, 11, 10]),
        (WorkflowFilter(offset=9), [11, 12]),
        (WorkflowFilter(users=("ann",)), [2, 4, 6, 8, 10, 12]),
        (WorkflowFilter(users=("ann", "bob"), limit=2), [1, 2]),
        (WorkflowFilter(users=("nobody",)), []),
        (WorkflowFilter(users=("bob",), pools=("west",)), [9]),
        (WorkflowFilter(pools=("east", "west"), descending=True, limit=1), [12]),
        (WorkflowFilter(statuses=(WorkflowStatus.FAILED_SUBMISSION,)), [3]),
        (WorkflowFilter(statuses=(WorkflowStatus.RUNNING, WorkflowStatus.COMPLETED)), [4, 5]),
        (WorkflowFilter(statuses=(WorkflowStatus.RUNNING,)), [4]),
        (WorkflowFilter(name_part="w-1"), [1, 10, 11, 12]),
        (WorkflowFilter(name_part="w_1"), []),
        (WorkflowFilter(name_part="%"), []),
        (WorkflowFilter(submitted_after=minutes(5), submitted_before=minutes(8)), [5, 6, 7]),
        (WorkflowFilter(any_tag=("green", "blue")), [8]),
        (WorkflowFilter(priorities=(Priority.HIGH,)), [7]),
        (WorkflowFilter(labels=(LabelMatch("team", ("t1*",)),)), [1, 10, 11, 12]),
        (WorkflowFilter(labels=(LabelMatch("team", ("t_", "t7")), LabelMatch("team", ("*7",)))), [7]),
        (WorkflowFilter(absent_labels=("even",)), [1, 5, 7, 9, 11]),
    ],
)
async def test_workflows_are_listed_by_every_filter(
    many: WorkflowViews, wanted: WorkflowFilter, expected: list[int]
) -> None:
    assert [int(row.workflow_id[2:]) for row in await many.workflows(wanted)] == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (TaskFilter(limit=3), [4, 12, 11]),
        (TaskFilter(offset=10), [5]),
        (TaskFilter(users=("bob",), limit=2), [11, 9]),
        (TaskFilter(statuses=(TaskStatus.RUNNING,)), [4]),
        (TaskFilter(statuses=(TaskStatus.RUNNING, TaskStatus.COMPLETED)), [4, 5]),
        (TaskFilter(pools=("west",)), [12, 9, 6]),
        (TaskFilter(nodes=("n1",)), [4, 5]),
        (TaskFilter(workflow_part="w-1", limit=2), [12, 11]),
        (TaskFilter(priorities=(Priority.HIGH,)), [7]),
        (TaskFilter(started_after=minutes(21), users=("bob",)), [11, 9, 7, 1, 5]),
        (TaskFilter(started_before=minutes(21)), [4]),
    ],
)
async def test_tasks_are_listed_by_every_filter_with_those_that_hold_a_place_first(
    many: WorkflowViews, wanted: TaskFilter, expected: list[int]
) -> None:
    assert [int(row.workflow_id[2:]) for row in await many.tasks(wanted)] == expected


async def test_sums_of_tasks_by_user_and_by_workflow(many: WorkflowViews) -> None:
    sums = await many.task_sums(TaskFilter(), by_workflow=False)
    assert [(one.user, one.pool, one.priority, one.gpu, one.cpu) for one in sums] == [
        ("ann", "east", "NORMAL", 4, 8),
        ("ann", "west", "NORMAL", 2, 4),
        ("bob", "east", "HIGH", 1, 2),
        ("bob", "east", "NORMAL", 3, 6),
        ("bob", "west", "NORMAL", 1, 2),
    ]
    by_workflow = await many.task_sums(TaskFilter(users=("bob",), limit=2), by_workflow=True)
    assert [(one.workflow_id, one.memory_bytes, one.storage_bytes) for one in by_workflow] == [
        ("w-1", GIB, 2 * GIB),
        ("w-11", GIB, 2 * GIB),
    ]


async def test_what_runs_is_counted_by_pool_and_by_node(many: WorkflowViews) -> None:
    assert list(await many.running_gpus()) == [GpuUse("east", Priority.NORMAL, 1)]
    assert list(await many.node_use()) == [NodeUse("b1", "n1", 2, 1, GIB, 2 * GIB)]


async def test_everyone_who_submitted_is_known(many: WorkflowViews) -> None:
    assert list(await many.submitters()) == ["ann", "bob"]


async def test_amounts_beyond_any_machine_are_cut_rather_than_refused(views: WorkflowViews) -> None:
    huge = Resources(cpu=10**30, gpu=10**30, memory_bytes=10**30, storage_bytes=10**30)
    group = GroupPlan(name="g", tasks=(TaskPlan(name="t", image="i", command=("c",), resources=huge),))
    history = History()
    for n in (1, 2):
        history.add(f"w-{n}", submitted("w", n, plan=Plan(name="w", pool="p", backend="b1", groups=(group,))))
    await history.project(views)
    (total,) = await views.task_sums(TaskFilter(), by_workflow=False)
    assert total.memory_bytes == 2 << 48


async def test_text_that_no_database_holds_finds_nothing(many: WorkflowViews) -> None:
    assert await many.workflow("w\x00") is None
    assert list(await many.workflows(WorkflowFilter(users=("a\x00",), name_part="\x00"))) == []
    assert list(await many.tasks(TaskFilter(nodes=("\x00",)))) == []


def pod_event(seq: int, ordinal: int = 0, *, task: str = "t", workflow_id: str = "w-1") -> PodEventRow:
    return PodEventRow(seq, ordinal, workflow_id, task, 0, T0 + timedelta(seconds=seq), "Failed", f"said in {seq}")


async def test_events_of_pods_come_back_in_the_order_of_the_log(views: WorkflowViews) -> None:
    assert await views.pod_events.checkpoint() == 0
    rows = [pod_event(3), pod_event(3, 1, task="u"), pod_event(4, workflow_id="w-2"), pod_event(12)]
    await views.pod_events.apply(rows, last_seq=12, keep=100)
    assert await views.pod_events.of_workflow("w-1") == [rows[0], rows[1], rows[3]]
    assert await views.pod_events.of_workflow("w-1", after=3) == [rows[3]]
    assert await views.pod_events.of_workflow("none") == []


async def test_events_of_pods_that_are_written_again_stand_there_once(views: WorkflowViews) -> None:
    await views.pod_events.apply([pod_event(3), pod_event(5)], last_seq=9, keep=100)
    await views.pod_events.apply([pod_event(5)], last_seq=5, keep=100)
    assert [row.seq for row in await views.pod_events.of_workflow("w-1")] == [3, 5]
    assert await views.pod_events.checkpoint() == 9


async def test_each_attempt_keeps_its_newest_events(views: WorkflowViews) -> None:
    await views.pod_events.apply([pod_event(seq) for seq in range(1, 8)], last_seq=7, keep=3)
    await views.pod_events.apply([pod_event(9), pod_event(9, 1, task="u")], last_seq=9, keep=3)
    assert [(row.seq, row.task) for row in await views.pod_events.of_workflow("w-1")] == [
        (6, "t"), (7, "t"), (9, "t"), (9, "u"),
    ]  # fmt: skip


async def test_resetting_events_of_pods_leaves_nothing(views: WorkflowViews) -> None:
    await views.pod_events.apply([pod_event(3)], last_seq=3, keep=100)
    await views.pod_events.reset()
    assert (await views.pod_events.checkpoint(), await views.pod_events.of_workflow("w-1")) == (0, [])


async def test_versions_tell_what_changed_since(views: WorkflowViews) -> None:
    history = History()
    for n in range(1, 4):
        history.add(f"w-{n}", submitted("w", n))
    await history.project(views)
    before = dict(await views.versions(WorkflowFilter()))
    assert before == {"w-1": 1, "w-2": 2, "w-3": 3}
    history.add("w-2", GroupQueued(group="t0-group", at=T0))
    await history.project(views)
    assert dict(await views.versions(WorkflowFilter())) == {**before, "w-2": 4}
    assert [await views.version(name) for name in ("w-2", derived_uuid("w", "3"), "none")] == [4, 3, None]
    assert (await views.workflows(WorkflowFilter()))[1].last_seq == 4


async def test_an_edition_is_another_after_everything_that_is_written(views: WorkflowViews) -> None:
    assert await views.edition() == 0
    history = History()
    seen = set()
    for n in range(1, 4):
        history.add(f"w-{n}", submitted("w", n))
        folder = await history.project(views)
        seen |= {await views.edition(), await views.edition()}
    assert len(seen) == 3
    await views.apply(await folder.fold(history.commits, last_seq=2))
    await views.pod_events.apply([pod_event(3)], last_seq=3, keep=100)
    assert await views.edition() in seen
    await views.apply(Changes(last_seq=5))
    assert await views.edition() not in seen
    await views.reset()
    assert await views.edition() == 0
    await history.project(views)
    assert await views.checkpoint() == 3
    assert await views.edition() not in seen | {0}


async def test_versions_are_listed_as_workflows_are(views: WorkflowViews) -> None:
    history = History()
    for n in range(1, 8):
        history.add(f"w-{n}", submitted("w", n, user=f"u{n % 2}"))
    await history.project(views)
    for wanted in (
        WorkflowFilter(descending=True, limit=3, offset=1),
        WorkflowFilter(users=("u1",)),
        WorkflowFilter(users=("nobody",)),
        WorkflowFilter(ids=("w-2", "w-5", "none")),
    ):
        rows = await views.workflows(wanted)
        assert await views.versions(wanted) == [(row.workflow_id, row.last_seq) for row in rows]
    assert [name for name, _ in await views.versions(WorkflowFilter(ids=("w-2", "w-5")))] == ["w-2", "w-5"]
