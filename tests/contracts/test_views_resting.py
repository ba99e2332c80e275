"""Rows do not depend on whether a state rested between two commits (osmo_domain.workflow.resting)."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from libs.domain.tests.life import START, plan, single, submitted

from osmo_domain.commit import Commit
from osmo_domain.workflow.events import GroupPlaced, GroupQueued, TaskFinished, TaskRescheduled, TaskRunning
from osmo_domain.workflow.status import TaskStatus
from osmo_views.folding import Folder, LoggedCommit
from osmo_views.rows import Changes

NEVER = 10**9
WORKFLOWS = [f"wf-{number}" for number in range(4)]
TASKS = ("a", "b")

task = st.sampled_from(TASKS)
event = st.one_of(
    st.builds(GroupQueued, group=task, at=st.just(START)),
    st.builds(
        lambda name: GroupPlaced(group=name, at=START, backend="default", nodes={name: "n-1"}, retry_ids={name: 0}),
        task,
    ),
    st.builds(TaskRunning, task=task, retry_id=st.integers(0, 1), at=st.just(START)),
    st.builds(TaskRescheduled, task=task, retry_id=st.integers(0, 1), at=st.just(START)),
    st.builds(
        TaskFinished, task=task, retry_id=st.integers(0, 1), status=st.just(TaskStatus.COMPLETED), at=st.just(START)
    ),
)
commits = st.lists(st.tuples(st.sampled_from(WORKFLOWS), st.lists(event, min_size=1, max_size=3)), max_size=25)


@given(commits, st.integers(1, 5))
async def test_rows_are_the_same_whoever_rested(later: list[tuple[str, list[Any]]], batch: int) -> None:
    history = [(workflow_id, [submitted(plan(*map(single, TASKS)))]) for workflow_id in WORKFLOWS] + later
    logged = [
        LoggedCommit(seq, 0, workflow_id, Commit(id=str(seq), at=START, actor="test", events=events))
        for seq, (workflow_id, events) in enumerate(history, 1)
    ]
    assert await _changes(logged, batch, rest_after=1) == await _changes(logged, batch, rest_after=NEVER)


async def _changes(logged: Sequence[LoggedCommit], batch: int, *, rest_after: int) -> list[Changes]:
    async def nothing_is_loaded(shard: int, workflow_id: str) -> Sequence[LoggedCommit]:
        raise AssertionError(f"{workflow_id} was in memory")

    folder = Folder(nothing_is_loaded, rest_after=rest_after)
    batches = [logged[start : start + batch] for start in range(0, len(logged), batch)]
    return [await folder.fold(some, last_seq=some[-1].seq) for some in batches]
