"""The scenarios of the reference (spec.md 2.16) on a running installation; B, E, I and plain cancels stand in test_failures.py.

What they cannot show in a moment is shown on the aggregate (libs/domain/tests/test_workflow_scenarios.py): J needs its 30 minutes.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.flows.gangs import group, groups, lead, logs, script, simulated
from tests.flows.person import Person, ends, spec, task, tasks
from tests.installation import Installation

from osmo_api.client import RefusedCall
from osmo_api.http import WorkflowAnswer

pytestmark = pytest.mark.xdist_group("osmo-up")


@pytest.fixture
def outside() -> Iterator[Path]:
    """A directory that tasks see under the same path: not below /tmp, which is each task's own."""
    directory = Path(tempfile.mkdtemp(prefix="osmo-flows-", dir="/var/tmp"))
    yield directory
    shutil.rmtree(directory)


def group_statuses(workflow: WorkflowAnswer) -> dict[str, str]:
    return {each.name: each.status for each in workflow.groups}


def attempts(workflow: WorkflowAnswer, name: str) -> list[tuple[str, int | None]]:
    """Status and exit code of every attempt of this task, the first one first."""
    found = [each for one in workflow.groups for each in one.tasks if each.name == name]
    return [(each.status, each.exit_code) for each in sorted(found, key=lambda each: each.retry_id)]


async def run(ada: Person, text: str, pool: str = "default") -> WorkflowAnswer:
    return await ada.over(await ada.submit(text, pool=pool))


async def test_a_serial_workflow_passes_its_data_on_and_completes(ada: Person) -> None:
    produce = script("produce", "echo 42 > {{output}}/answer")
    consume = script("consume", "test $(cat {{input:0}}/answer) = 42", inputs=[{"task": "produce"}])
    workflow = await run(ada, spec("serial", produce, consume))
    assert workflow.status == "COMPLETED"
    assert ends(workflow) == {"produce": ("COMPLETED", 0), "consume": ("COMPLETED", 0)}
    first, second = workflow.groups
    assert first.end_time is not None
    assert second.start_time is not None
    assert first.end_time <= second.start_time


async def test_c_a_nonlead_may_fail_where_its_status_is_ignored(ada: Person) -> None:
    gang = group("g", lead(simulated("a", SIM_SECONDS=0.4)), simulated("b", SIM_EXIT_CODE=4), ignoreNonleadStatus=True)
    workflow = await run(ada, groups("ignored", gang), "simulated")
    assert (workflow.status, group_statuses(workflow)) == ("COMPLETED", {"g": "COMPLETED"})
    assert ends(workflow) == {"a": ("COMPLETED", 0), "b": ("FAILED", 4)}


async def test_a_failing_nonlead_takes_the_group_with_it_where_its_status_counts(ada: Person) -> None:
    gang = group("g", lead(script("a", "sleep 1000")), script("b", "exit 4"), ignoreNonleadStatus=False)
    workflow = await run(ada, groups("counted", gang))
    assert (workflow.status, ends(workflow)) == ("FAILED", {"a": ("FAILED", None), "b": ("FAILED", 4)})
    assert tasks(workflow)["a"].failure_message == (
        "Stopped, because task b of the same group ended as FAILED with exit code 4."
    )


async def test_d_the_lead_ends_and_takes_the_others_with_it(ada: Person, outside: Path) -> None:
    unfinished = script("b", "echo half > {{output}}/half; sleep 1000", outputs=[{"url": f"file://{outside}/b"}])
    gang = group("g", lead(script("a", "sleep 0.2")), unfinished)
    workflow = await run(ada, groups("led", gang))
    assert workflow.status == "COMPLETED"
    assert ends(workflow) == {"a": ("COMPLETED", 0), "b": ("COMPLETED", None)}
    assert not (outside / "b").exists(), "what had not finished is not uploaded"


async def test_e_an_evicted_lead_evicts_the_group(ada: Person) -> None:
    workflow = await run(
        ada,
        groups("evicted", group("g", lead(simulated("a", SIM_EVICT=1)), simulated("b", SIM_SECONDS=60))),
        "simulated",
    )
    assert (workflow.status, group_statuses(workflow)) == ("FAILED_EVICTED", {"g": "FAILED_EVICTED"})
    assert ends(workflow) == {"a": ("FAILED_EVICTED", 3004), "b": ("FAILED", None)}


async def test_f_a_rescheduled_nonlead_restarts_the_gang_in_place_which_keeps_its_files(
    ada: Person, outside: Path
) -> None:
    """The lead's command is killed and runs again in the same pod, with its files; the other gets a new pod without them. They meet first."""
    stay = "echo x >> /osmo/run/workspace/runs; n=$(wc -l < /osmo/run/workspace/runs); echo run $n; test $n = 2 || sleep 1000"
    go = f"ls /osmo/run/workspace | wc -l; touch /osmo/run/workspace/f; mkdir {outside}/been || exit 0; sleep 0.3; kill -9 $$"
    gang = group(
        "g",
        lead(script("a", stay)),
        script("b", go, exitActions={"RESCHEDULE": 137}),
        ignoreNonleadStatus=False,
    )
    name = await ada.submit(groups("gang", gang), pool="default")
    workflow = await ada.over(name)
    assert workflow.status == "COMPLETED"
    assert attempts(workflow, "a") == [("COMPLETED", 0)]
    assert attempts(workflow, "b")[0] == ("RESCHEDULED", 137)
    assert len(attempts(workflow, "b")) == 2
    said = await logs(ada, name)
    assert said.count("[a] run 1") == said.count("[a] run 2") == 1
    assert "[b] 0" in said
    assert "[b retry-1] 0" in said
    again = said.index("[b retry-1][osmo] Waiting for the other tasks of group g")
    assert again < said.index("[a] run 2"), "the restarted command waits for the new attempt"


async def test_a_nonlead_goes_again_alone_where_its_status_is_ignored(
    ada: Person, up: Installation, outside: Path
) -> None:
    """Its new attempt passes the barrier that the others passed long ago, through a log-router that has seen nothing of it."""
    first = script("b", f"mkdir {outside}/been && exit 7; touch {outside}/again", exitActions={"RESCHEDULE": "1-255"})
    waits = script("a", f"echo once; until [ -e {outside}/again ]; do sleep 0.05; done")
    gang = group("g", lead(waits), first, ignoreNonleadStatus=True)
    name = await ada.submit(groups("alone", gang), pool="default")
    await ada.until(name, lambda workflow: ("RESCHEDULED", 7) in attempts(workflow, "b"))
    up.kill_part("log-router")
    workflow = await ada.over(name)
    assert workflow.status == "COMPLETED"
    assert (await logs(ada, name)).count("[a] once") == 1


async def test_g_and_h_what_never_finds_a_place_times_out_alone_or_is_cancelled(ada: Person) -> None:
    nowhere = {"tiny": {"cpu": 1, "nodesExcluded": ["sim-0001", "sim-0002"]}, "default": {"cpu": 1}}
    stuck = simulated("stuck", resource="tiny")
    two_branches = groups(
        "stuck",
        group("g", lead(stuck)),
        group("h", lead(simulated("free"))),
        resources=nowhere,
        timeout={"queue_timeout": "1s"},
    )
    cancelled = await ada.submit(groups("waits", group("g", lead(stuck)), resources=nowhere))
    timed_out = await ada.submit(two_branches)
    await ada.until(cancelled, lambda workflow: ends(workflow)["stuck"][0] == "PROCESSING")
    await ada.api.cancel(cancelled, message="no node for it")
    workflow = await ada.over(cancelled)
    assert (workflow.status, ends(workflow)) == ("FAILED_CANCELED", {"stuck": ("FAILED_CANCELED", None)})
    workflow = await ada.over(timed_out)
    assert workflow.status == "FAILED_QUEUE_TIMEOUT"
    assert ends(workflow) == {"stuck": ("FAILED_QUEUE_TIMEOUT", None), "free": ("COMPLETED", 0)}
    assert "queue_timeout of 1s" in (tasks(workflow)["stuck"].failure_message or "")


async def test_k_out_of_memory_is_told_apart_and_goes_again_by_137(ada: Person) -> None:
    again = simulated("again", SIM_OOM="1,0", exitActions={"RESCHEDULE": 137})
    workflow = await run(ada, spec("oom", simulated("killed", SIM_OOM=1), again), "simulated")
    assert workflow.status == "FAILED_EVICTED"
    assert ends(workflow)["killed"] == ("FAILED_EVICTED", 3004)
    assert "memory" in (tasks(workflow)["killed"].failure_message or "")
    assert attempts(workflow, "again") == [("RESCHEDULED", 3004), ("COMPLETED", 0)]


async def test_an_evicted_task_goes_again_by_its_own_code(ada: Person) -> None:
    body = simulated("a", SIM_EVICT="1,0", exitActions={"RESCHEDULE": "3000-3006"})
    workflow = await run(ada, spec("evicted-again", body), "simulated")
    assert attempts(workflow, "a") == [("RESCHEDULED", 3004), ("COMPLETED", 0)]


async def test_l_a_pod_that_is_lost_is_a_backend_error(ada: Person, up: Installation) -> None:
    name = await ada.submit(spec("lost", script("a", "echo $$; sleep 1000")), pool="default")
    running = await ada.until(name, lambda workflow: workflow.status == "RUNNING")
    pod = tasks(running)["a"].pod_name
    shims = [
        each
        for each in psutil.process_iter()
        if each.name() == "osmo-shim" and any(pod in word for word in _words(each))
    ]
    assert shims
    for shim in shims:
        shim.kill()
    workflow = await ada.over(name)
    assert ends(workflow)["a"] == ("FAILED_BACKEND_ERROR", 3001)


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


async def test_m_what_completes_by_exit_action_has_its_outputs_and_feeds_the_next(ada: Person) -> None:
    odd = script("odd", "echo kept > {{output}}/file; exit 5", exitActions={"COMPLETE": "5"})
    next_one = script("next", "test $(cat {{input:0}}/file) = kept", inputs=[{"task": "odd"}])
    workflow = await run(ada, spec("forgiven", odd, next_one))
    assert workflow.status == "COMPLETED"
    assert ends(workflow) == {"odd": ("COMPLETED", 5), "next": ("COMPLETED", 0)}
    assert tasks(workflow)["odd"].failure_message == "The command ended with exit code 5. Exit action COMPLETE applied."


async def test_n_what_cannot_be_uploaded_fails_its_task(ada: Person) -> None:
    body = script("a", "echo x > {{output}}/x", outputs=[{"url": "file:///proc/none"}])
    workflow = await run(ada, spec("unkept", body))
    assert (workflow.status, ends(workflow)["a"]) == ("FAILED", ("FAILED", 2012))
    assert "file:///proc/none" in (tasks(workflow)["a"].failure_message or "")


async def test_the_limit_of_retries_keeps_the_last_failure(ada: Person) -> None:
    """The pool's limit is 10; waits grow from 1 s, so three attempts are enough to see them grow."""
    name = await ada.submit(
        spec("retried", simulated("a", SIM_EXIT_CODE="9,9,0", exitActions={"COMPLETE": 0, "RESCHEDULE": "1-255"}))
    )
    workflow = await ada.over(name)
    assert attempts(workflow, "a") == [("RESCHEDULED", 9), ("RESCHEDULED", 9), ("COMPLETED", 0)]
    first, second, third = sorted(workflow.groups[0].tasks, key=lambda each: each.retry_id)
    assert first.end_time and second.start_time and second.end_time and third.start_time  # noqa: PT018
    assert (second.start_time - first.end_time).total_seconds() >= 1
    assert (third.start_time - second.end_time).total_seconds() >= 2


async def test_a_forced_cancel_ends_a_command_that_does_not_listen(ada: Person) -> None:
    name = await ada.submit(
        spec("deaf", script("a", "trap '' TERM; echo deaf; while :; do sleep 1; done")), pool="default"
    )
    running = await ada.until(name, lambda workflow: workflow.status == "RUNNING")
    await ada.api.cancel(name)
    assert (await ada.over(name)).status == "FAILED_CANCELED"
    await ada.api.cancel(name, force=True)
    pod = tasks(running)["a"].pod_name
    await ada.until(name, lambda _: not any(pod in word for each in psutil.process_iter() for word in _words(each)))


async def test_a_restarted_workflow_takes_the_outputs_of_what_had_completed(ada: Person, outside: Path) -> None:
    good = script("good", f"echo x >> {outside}/runs; echo 7 > {{{{output}}}}/n")
    bad = script("bad", f"cat {{{{input:0}}}}/n; test -e {outside}/repaired", inputs=[{"task": "good"}])
    name = await ada.submit(spec("mended", good, bad), pool="default")
    assert (await ada.over(name)).status == "FAILED"
    (outside / "repaired").touch()
    await ada.api.call("POST", f"/api/pool/default/workflow/{name}/restart")
    workflow = await ada.over("mended-2")
    assert (workflow.status, ends(workflow)) == ("COMPLETED", {"bad": ("COMPLETED", 0)})
    assert (outside / "runs").read_text() == "x\n"
    assert "[bad] 7" in await logs(ada, "mended-2")


async def test_a_workflow_reads_what_a_task_of_an_earlier_one_left(ada: Person) -> None:
    """A producer keeps its output for others when it has a downstream, as in the reference."""
    make = script("make", "echo 11 > {{output}}/n")
    use = script("use", "cat {{input:0}}/n", inputs=[{"task": "make"}])
    earlier = await ada.submit(spec("earlier", make, use), pool="default")
    assert (await ada.over(earlier)).status == "COMPLETED"
    later = script("read", "test $(cat {{input:0}}/n) = 11", inputs=[{"task": f"{earlier}:make"}])
    assert (await run(ada, spec("later", later))).status == "COMPLETED"
    with pytest.raises(RefusedCall):
        await ada.submit(spec("later", script("read", "x", inputs=[{"task": f"{earlier}:nobody"}])), pool="default")


async def test_independent_branches_go_on_and_the_status_ranks_cancelled_before_timeouts(ada: Person) -> None:
    """A failed branch and one that times out: FAILED and FAILED_EXEC_TIMEOUT make FAILED_EXEC_TIMEOUT."""
    text = spec(
        "ranked",
        task("slow", SIM_SECONDS=60),
        task("bad", SIM_EXIT_CODE=2),
        task("after-bad", after=["bad"]),
        timeout={"exec_timeout": "1s"},
    )
    workflow = await run(ada, text, "simulated")
    assert workflow.status == "FAILED_EXEC_TIMEOUT"
    assert ends(workflow)["after-bad"] == ("FAILED_UPSTREAM", 3000)
    assert tasks(workflow)["after-bad"].failure_message == "Not run, because task bad ended as FAILED."
