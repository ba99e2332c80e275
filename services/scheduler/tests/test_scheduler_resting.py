"""States that rest: they come to life as they were, and a snapshot of them is that of states that are alive."""

import msgspec
from libs.domain.tests.life import START, plan, single, submitted

from osmo_domain.commit import Commit
from osmo_domain.config import Catalogue
from osmo_domain.workflow.evolve import fold
from osmo_domain.workflow.state import Workflow
from osmo_scheduler.aggregates import REST_AT_ONCE, Entry
from osmo_scheduler.shard import Shard
from osmo_scheduler.snapshot import freeze


def state_of(number: int, *, tasks: int = 1, plan_blob: str = "") -> Workflow:
    of = plan(*(single(f"t{each}") for each in range(tasks)))
    event = msgspec.structs.replace(
        submitted(of), workflow_id=f"wf-{number}", uuid=f"{number:032x}", plan_blob=plan_blob
    )
    state = fold([Commit("c", START, "ann", [event])])
    assert state is not None
    return state


def shard_of(*states: Workflow, rest_after: int) -> Shard:
    shard = Shard(Catalogue.empty(), rest_after=rest_after)
    for order, state in enumerate(states):
        shard.aggregates.keep(Entry(state, order + 1, order + 1))
    return shard


def test_states_rest_in_turn_and_come_to_life_when_somebody_looks() -> None:
    shard = shard_of(*(state_of(number) for number in range(5)), rest_after=2)
    shard.aggregates.rest()
    assert [entry.resting is not None for entry in shard.aggregates] == [True, True, True, False, False]
    entry = shard.aggregates.get("wf-0")
    assert entry is not None
    assert entry.state == state_of(0)
    shard.aggregates.rest()
    assert [entry.resting is not None for entry in shard.aggregates] == [False, True, True, True, False]


def test_a_workflow_that_is_dropped_is_nobody_to_put_to_rest() -> None:
    shard = shard_of(*(state_of(number) for number in range(5)), rest_after=1)
    entry = shard.aggregates.get("wf-0")
    assert entry is not None
    shard.aggregates.drop(entry)
    shard.aggregates.rest()
    assert len(shard.aggregates) == 4


def test_a_round_is_not_held_up_by_more_than_it_can_put_to_rest() -> None:
    shard = shard_of(*(state_of(number, tasks=REST_AT_ONCE // 20 - 1) for number in range(31)), rest_after=1)
    shard.aggregates.rest()
    assert sum(entry.resting is not None for entry in shard.aggregates) == 21
    shard.aggregates.rest()
    assert sum(entry.resting is not None for entry in shard.aggregates) == 30


def test_a_large_workflow_stays_awake_for_longer() -> None:
    shard = shard_of(state_of(0, tasks=300), *(state_of(number) for number in range(1, 4)), rest_after=1)
    shard.aggregates.rest()
    assert [entry.resting is not None for entry in shard.aggregates] == [False, True, True, False]


def test_a_snapshot_is_the_same_whoever_rests() -> None:
    states = [state_of(0), state_of(1, plan_blob="a" * 64), state_of(2), state_of(3, plan_blob="b" * 64)]
    shard = shard_of(*states, rest_after=1)
    before = freeze(shard)
    shard.aggregates.rest()
    assert sum(entry.resting is not None for entry in shard.aggregates) == 3
    assert freeze(shard) == before
    assert [entry.state.plan for entry in shard.aggregates] == [state_of(0).plan] * 4
