"""Restarts in place as commands: counted per task, so that who is told twice does it once."""

from libs.domain.tests.life import Life, gang, plan, task

from osmo_domain.command import CreateGroup, RestartTasks
from osmo_domain.workflow.commands import command_id, outstanding_commands


def three() -> Life:
    again = {"RESCHEDULE": "1-255"}
    members = (task("a", exit_actions=again), task("b", lead=False, exit_actions=again), task("c", lead=False))
    life = Life(plan(gang("g", *members, ignore_nonlead_status=False)))
    life.run("a", "b", "c")
    return life


def restart_after(life: Life, name: str) -> RestartTasks:
    (restart,) = [each for each in life.commands(life.exit(name, 1)) if isinstance(each, RestartTasks)]
    life.after(minutes=1).run(name)
    return restart


def test_each_attempt_counts_its_own_restarts() -> None:
    life = three()
    first, second, third = restart_after(life, "b"), restart_after(life, "a"), restart_after(life, "b")
    assert (first.retry_ids, first.restarts) == ({"a": 0, "c": 0}, {"a": 1, "c": 1})
    assert (second.retry_ids, second.restarts) == ({"b": 1, "c": 0}, {"b": 1, "c": 2})
    assert (third.retry_ids, third.restarts) == ({"a": 1, "c": 0}, {"a": 1, "c": 3})
    assert len({command_id(each) for each in (first, second, third)}) == 3


def test_a_scheduler_that_starts_says_restarts_again_under_the_same_name() -> None:
    life = three()
    told = restart_after(life, "b")
    (again,) = outstanding_commands(life.replayed())
    assert again == told
    assert command_id(again) == command_id(told)


def test_what_waits_to_be_made_is_said_again_beside_restarts() -> None:
    life = three()
    life.exit("b", 1)
    life.after(minutes=1).place("g")
    kinds = [type(each) for each in outstanding_commands(life.replayed())]
    assert kinds == [RestartTasks, CreateGroup]


def test_who_has_ended_is_not_restarted_again() -> None:
    life = three()
    restart_after(life, "b")
    life.exit("c", 0)
    (again,) = outstanding_commands(life.replayed())
    assert isinstance(again, RestartTasks)
    assert again.retry_ids == {"a": 0}
