"""Everything that can go wrong with a run ends with the status and the exit code of the reference (spec.md, section 2)."""

import pytest
from tests.flows.person import Person, ends, spec, task, tasks

from osmo_api.client import RefusedCall

pytestmark = pytest.mark.xdist_group("osmo-up")


async def test_a_failing_task_fails_its_downstream_and_spares_independent_branches(ada: Person) -> None:
    name = await ada.submit(
        spec(
            "scenario-b",
            task("produce", SIM_EXIT_CODE=3),
            task("consume", after=["produce"]),
            task("last", after=["consume"]),
            task("other"),
        )
    )
    workflow = await ada.over(name)
    assert workflow.status == "FAILED"
    assert ends(workflow) == {
        "produce": ("FAILED", 3),
        "consume": ("FAILED_UPSTREAM", 3000),
        "last": ("FAILED_UPSTREAM", 3000),
        "other": ("COMPLETED", 0),
    }
    assert {group.name: group.status for group in workflow.groups}["consume-group"] == "FAILED_UPSTREAM"
    assert tasks(workflow)["consume"].start_time is None


@pytest.mark.parametrize(("command", "code"), [("exit 7", 7), ("no-such-command", 127), ("kill -9 $$", 137)])
async def test_the_exit_code_of_a_real_command_is_the_exit_code_of_its_task(
    ada: Person, command: str, code: int
) -> None:
    workflow = await ada.over(await ada.submit(spec("real", task("a", command=["sh", "-c", command])), pool="default"))
    assert workflow.status == "FAILED"
    assert ends(workflow)["a"][0] == "FAILED"
    assert ends(workflow)["a"][1] in {code, 255 if code > 128 else code}


async def test_a_command_that_is_not_there_fails_its_task_and_says_so(ada: Person) -> None:
    name = await ada.submit(spec("absent", task("a", command=["/no/such/program"])), pool="default")
    workflow = await ada.over(name)
    assert (workflow.status, ends(workflow)["a"][0]) == ("FAILED", "FAILED")
    assert ends(workflow)["a"][1] not in {0, None}
    async with ada.http.get(f"/api/workflow/{name}/logs") as answer:
        assert "/no/such/program" in await answer.text()


async def test_an_unknown_image_fails_at_once_as_an_image_pull(ada: Person) -> None:
    workflow = await ada.over(await ada.submit(spec("pull", task("a", image="nvcr.io/missing:1"))))
    assert workflow.status == "FAILED"
    assert [group.status for group in workflow.groups] == ["FAILED"]
    assert ends(workflow)["a"] == ("FAILED_IMAGE_PULL", 302)


async def test_an_evicted_task_makes_its_workflow_evicted(ada: Person) -> None:
    workflow = await ada.over(await ada.submit(spec("evicted", task("a", SIM_EVICT=1))))
    assert (workflow.status, ends(workflow)["a"]) == ("FAILED_EVICTED", ("FAILED_EVICTED", 3004))


async def test_a_group_that_the_cluster_refuses_is_a_server_error(ada: Person) -> None:
    workflow = await ada.over(await ada.submit(spec("refused", task("a", SIM_REFUSE=1))))
    assert (workflow.status, ends(workflow)["a"]) == ("FAILED_SERVER_ERROR", ("FAILED_SERVER_ERROR", 3002))


async def test_a_task_that_runs_too_long_times_out(ada: Person) -> None:
    body = spec("slow", task("a", SIM_SECONDS=3600), task("b", after=["a"]), timeout={"exec_timeout": "1s"})
    workflow = await ada.over(await ada.submit(body))
    assert workflow.status == "FAILED_EXEC_TIMEOUT"
    assert ends(workflow) == {"a": ("FAILED_EXEC_TIMEOUT", None), "b": ("FAILED_UPSTREAM", 3000)}


async def test_a_workflow_that_is_cancelled_while_it_runs(ada: Person) -> None:
    name = await ada.submit(spec("cancelled", task("a", SIM_SECONDS=3600), task("b", after=["a"])))
    await ada.until(name, lambda workflow: workflow.status == "RUNNING")
    await ada.api.cancel(name, message="wrong data")
    workflow = await ada.over(name)
    assert (workflow.status, workflow.cancelled_by) == ("FAILED_CANCELED", "ada")
    assert ends(workflow) == {"a": ("FAILED_CANCELED", None), "b": ("FAILED_CANCELED", None)}
    assert "wrong data" in (tasks(workflow)["a"].failure_message or "")
    with pytest.raises(RefusedCall) as refused:
        await ada.api.cancel(name)
    assert (refused.value.status, refused.value.error.error_code) == (400, "USER")


async def test_a_workflow_that_is_cancelled_while_it_is_queued(ada: Person) -> None:
    everything = {"resources": {"default": {"gpu": 8, "cpu": 1, "memory": "1Gi", "storage": "1Gi"}}}
    holders = [await ada.submit(spec("holder", task("a", SIM_SECONDS=3600), **everything)) for _ in range(2)]
    try:
        name = await ada.submit(spec("waiting", task("a"), **everything))
        await ada.until(name, lambda workflow: ends(workflow)["a"][0] == "PROCESSING")
        await ada.api.cancel(name)
        workflow = await ada.over(name)
        assert (workflow.status, ends(workflow)["a"]) == ("FAILED_CANCELED", ("FAILED_CANCELED", None))
        assert workflow.start_time is None
    finally:
        for holder in holders:
            await ada.api.cancel(holder)
    freed = await ada.submit(spec("after", task("a"), **everything))
    assert (await ada.over(freed)).status == "COMPLETED"


async def test_a_restart_keeps_what_completed_and_runs_the_rest_again(ada: Person) -> None:
    name = await ada.submit(
        spec("again", task("good"), task("bad", after=["good"], SIM_EXIT_CODE=1), task("end", after=["bad"]))
    )
    first = await ada.over(name)
    answer = await ada.api.call("POST", f"/api/pool/simulated/workflow/{name}/restart")
    assert name.encode() not in answer.split(b'"')
    second = await ada.over(f"again-{int(name.rsplit('-', 1)[1]) + 1}")
    assert (second.parent_name, second.parent_job_id) == (name.rsplit("-", 1)[0], int(name.rsplit("-", 1)[1]))
    assert sorted(tasks(second)) == ["bad", "end"]
    assert second.status == first.status == "FAILED"


async def test_a_workflow_that_completed_cannot_be_restarted(ada: Person) -> None:
    name = await ada.submit(spec("fine", task("a")))
    await ada.over(name)
    with pytest.raises(RefusedCall) as refused:
        await ada.api.call("POST", f"/api/pool/simulated/workflow/{name}/restart")
    assert (refused.value.status, refused.value.error.error_code) == (400, "SUBMISSION")


async def test_exit_actions_decide_what_a_code_means(ada: Person) -> None:
    forgiving = {**task("a", SIM_EXIT_CODE=5), "exitActions": {"COMPLETE": "5"}}
    strict = {**task("b"), "exitActions": {"FAIL": "0"}}
    completed = await ada.over(await ada.submit(spec("forgiving", forgiving)))
    failed = await ada.over(await ada.submit(spec("strict", strict)))
    assert (completed.status, ends(completed)["a"]) == ("COMPLETED", ("COMPLETED", 5))
    assert (failed.status, ends(failed)["b"]) == ("FAILED", ("FAILED", 0))
