"""The start barrier, decided from commits and reports alone."""

from datetime import timedelta

from libs.domain.tests.life import START, Life, gang, plan, task

from osmo_domain.report import TaskPhase, TaskReported
from osmo_domain.workflow.barrier import REMEMBERED, Arrivals, may_start


def at_barrier(name: str, retry_id: int = 0, restarts: int = 0) -> TaskReported:
    return TaskReported("wf-1", name, retry_id, TaskPhase.AT_BARRIER, START, restarts=restarts)


def running_gang(*, ignore_nonlead_status: bool) -> tuple[Life, Arrivals]:
    """Three tasks that have all passed the barrier; `b` may go again."""
    members = (task("a"), task("b", lead=False, exit_actions={"RESCHEDULE": "1"}), task("c", lead=False))
    life = Life(plan(gang("g", *members, ignore_nonlead_status=ignore_nonlead_status)))
    life.run("a", "b", "c")
    arrivals = Arrivals()
    arrivals.see([at_barrier("a"), at_barrier("b"), at_barrier("c")])
    return life, arrivals


def test_nobody_starts_before_everybody_is_there() -> None:
    life, arrivals = Life(plan(gang("g", task("a"), task("b", lead=False)))), Arrivals()
    life.run("a", "b")
    assert arrivals.see([at_barrier("a")])
    assert not may_start(life.state, "g", arrivals, START)
    assert not arrivals.see([at_barrier("a"), TaskReported("wf-1", "b", 0, TaskPhase.DOWNLOADING, START)])
    assert not may_start(life.state, "g", arrivals, START)
    assert may_start(life.state, "g", arrivals, START, count=1)
    assert arrivals.see([at_barrier("b")])
    assert may_start(life.state, "g", arrivals, START)


def test_who_has_ended_is_not_waited_for() -> None:
    life, arrivals = Life(plan(gang("g", task("a"), task("b", lead=False)))), Arrivals()
    life.run("a", "b")
    arrivals.see([at_barrier("a")])
    life.exit("b", 1)
    assert may_start(life.state, "g", arrivals, START)


def test_a_member_that_goes_again_alone_passes_at_once_when_it_is_there() -> None:
    life, arrivals = running_gang(ignore_nonlead_status=True)
    life.exit("b", 1)
    assert not may_start(life.state, "g", arrivals, START)
    arrivals.see([at_barrier("b", retry_id=1)])
    assert may_start(life.state, "g", arrivals, START)


def test_a_restarted_gang_waits_for_everybody_again() -> None:
    life, arrivals = running_gang(ignore_nonlead_status=False)
    life.exit("b", 1)
    arrivals.see([at_barrier("b", retry_id=1), at_barrier("a", restarts=1)])
    assert not may_start(life.state, "g", arrivals, START), "c was only there for the start before"
    arrivals.see([at_barrier("c", restarts=1)])
    assert may_start(life.state, "g", arrivals, START)


def test_a_state_older_than_the_reports_lets_nobody_go() -> None:
    life, arrivals = running_gang(ignore_nonlead_status=False)
    arrivals.see([at_barrier("b", retry_id=1)])
    assert not may_start(life.state, "g", arrivals, START)


def test_reports_that_are_not_kept_any_more_hold_nobody_up() -> None:
    life, _ = running_gang(ignore_nonlead_status=True)
    much_later = START + REMEMBERED + timedelta(minutes=1)
    life.exit("b", 1)
    arrivals = Arrivals()
    assert not may_start(life.state, "g", arrivals, much_later)
    arrivals.see([at_barrier("b", retry_id=1)])
    assert may_start(life.state, "g", arrivals, much_later)
