"""Where tasks may keep their data: places that data says no to, and disks that pods do not share."""

from typing import Any

import msgspec
import pytest

from osmo_domain.pool import WorkflowSettings

ALONE = "workflow: {name: w, tasks: [{name: a, image: i, command: [c]}]}"
SERIAL = """
workflow:
  name: w
  tasks:
  - {name: a, image: i, command: [c]}
  - {name: b, image: i, command: [c], inputs: [{task: a}]}
"""


def with_url(where: str, url: str) -> str:
    given = {
        "inputs": f"inputs: [{{url: '{url}'}}]",
        "outputs": f"outputs: [{{url: '{url}'}}]",
        "checkpoint": f"checkpoint: [{{path: /x, url: '{url}', frequency: 60s, regex: .*}}]",
    }[where]
    return ALONE.replace("command: [c]", f"command: [c], {given}")


def in_pods(house: Any, data_url: str = "file:///store") -> None:
    house.clusters.by_backend["cluster-1"].runtime = "kubernetes"
    house.catalogue.workflow = msgspec.structs.replace(house.catalogue.workflow, data_url=data_url)


async def outputs_of(house: Any, spec: str) -> list[list[str]]:
    submitted = await house.submitted((await house.submit(spec)).name)
    return [[output.url for output in task.outputs] for group in submitted.plan.groups for task in group.tasks]


async def test_pods_cannot_hand_data_on_over_a_disk_that_they_do_not_share(house: Any) -> None:
    in_pods(house)
    refusal = await house.refusal(SERIAL)
    assert (refusal.code, refusal.error_code) == ("data.not_shared", "CREDENTIAL")
    assert "Task b takes the data of task a" in refusal.message
    assert (await house.refusal(SERIAL, validation_only=True)).code == "data.not_shared"


async def test_processes_of_one_machine_share_its_disk(house: Any) -> None:
    assert isinstance(house.catalogue.workflow, WorkflowSettings)
    assert await outputs_of(house, SERIAL) == [["file:///store/w-1/a"], ["file:///store/w-1/b"]]


async def test_pods_hand_data_on_over_object_storage(house: Any) -> None:
    in_pods(house, "s3://own/data")
    assert await outputs_of(house, SERIAL) == [["s3://own/data/w-1/a"], ["s3://own/data/w-1/b"]]


async def test_a_copy_that_would_be_gone_with_its_pod_is_not_made(house: Any) -> None:
    in_pods(house)
    assert await outputs_of(house, ALONE) == [[]]
    assert await outputs_of(house, with_url("outputs", "s3://lake/out")) == [["s3://lake/out"]]


@pytest.mark.parametrize("where", ["inputs", "outputs", "checkpoint"])
async def test_pods_cannot_use_urls_of_a_machine(house: Any, where: str) -> None:
    in_pods(house, "s3://own/data")
    refusal = await house.refusal(with_url(where, "file:///tmp/x"))
    assert refusal.code == "data.not_shared"
    assert "file:///tmp/x" in refusal.message


@pytest.mark.parametrize("where", ["inputs", "outputs", "checkpoint"])
async def test_places_that_data_says_no_to_are_refused_in_its_words(house: Any, where: str) -> None:
    refusal = await house.refusal(with_url(where, "s3://secret/x"))
    assert (refusal.code, refusal.error_code) == ("data.no_access", "CREDENTIAL")
    assert refusal.message == "s3://secret/x: no credential"
    await house.submit(with_url(where, "s3://lake/x"))


async def test_what_cannot_be_reached_now_is_a_warning_and_a_refusal_when_it_is_to_run(house: Any) -> None:
    spec = with_url("inputs", "s3://away/x")
    words = "This installation cannot reach s3://away/x: no credential"
    validated = await house.submit(spec, validation_only=True)
    assert validated.warnings == (f"{words}: submitting would be refused.",)
    refusal = await house.refusal(spec)
    assert (refusal.code, refusal.message) == ("data.no_access", f"{words}.")
