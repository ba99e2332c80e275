"""How fast the log folds, beside how fast it is read without looking at it."""

import time
from collections.abc import Callable, Sequence
from contextlib import aclosing

from tests.bench.bench import Bench
from tests.bench.table import Row

from osmo_domain.workflow.events import WORKFLOW_CODEC, WorkflowSubmitted
from osmo_domain.workflow.evolve import apply_commit
from osmo_domain.workflow.state import Workflow
from osmo_eventlog.hydrate import hydrate
from osmo_eventlog.ports import After, Connection, Recorded
from osmo_eventlog.subjects import WORKFLOWS


async def replay(bench: Bench) -> list[Row]:
    """WORKFLOWS from its first message, three times; the best of each."""
    async with bench.log() as connection:
        raw = min([await _read(connection, lambda _: None) for _ in range(3)], key=lambda timed: timed[1])
        states: dict[str, Workflow | None] = {}
        counted = _Folding(states)
        await _prepare(connection, counted)
        folds = []
        for _ in range(3):
            states.clear()
            counted.events = 0
            folds.append(await _read(connection, counted))
        fold = min(folds, key=lambda timed: timed[1])
    messages, took = fold
    limit = f"raw replay {raw[0] / raw[1]:,.0f} messages/s"
    share = (messages / took) / (raw[0] / raw[1])
    ours = f"{messages / took:,.0f} commits/s, {counted.events / took:,.0f} events/s ({share:.0%} of raw; {messages:,} commits)"
    return [Row("fold of WORKFLOWS", ours, share, 0.8, "more", "at least 80 % of raw", limit)]


class _Folding:
    """Decodes and folds every commit; plans that are blobs come from memory."""

    def __init__(self, states: dict[str, Workflow | None]) -> None:
        self.states = states
        self.events = 0
        self.whole: dict[int, WorkflowSubmitted] = {}

    def __call__(self, records: Sequence[Recorded]) -> None:
        for record in records:
            commit = WORKFLOW_CODEC.decode(record.data)
            if record.seq in self.whole:
                commit.events[0] = self.whole[record.seq]
            self.events += len(commit.events)
            self.states[record.subject] = apply_commit(self.states.get(record.subject), commit)


async def _prepare(connection: Connection, folding: _Folding) -> None:
    """Fetch the plans that stand outside, so that blobs are not what is measured."""
    last = await connection.log.last_seq(WORKFLOWS)
    async with aclosing(connection.log.follow(WORKFLOWS, [], After(0))) as batches:
        async for batch in batches:
            for record in batch:
                if b'"plan_blob"' in record.data:
                    commit = await hydrate(WORKFLOW_CODEC.decode(record.data), connection.blobs)
                    first = commit.events[0]
                    assert isinstance(first, WorkflowSubmitted)
                    folding.whole[record.seq] = first
            if batch[-1].seq >= last:
                return


async def _read(connection: Connection, look: Callable[[Sequence[Recorded]], None]) -> tuple[int, float]:
    """(messages, seconds) for the whole stream."""
    last, count = await connection.log.last_seq(WORKFLOWS), 0
    began = time.perf_counter()
    async with aclosing(connection.log.follow(WORKFLOWS, [], After(0))) as batches:
        async for batch in batches:
            count += len(batch)
            look(batch)
            if batch[-1].seq >= last:
                break
    return count, time.perf_counter() - began
