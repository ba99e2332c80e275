"""What an installation asks of every submission: labels, and how much one user may have alive; and what it cannot run yet."""

from typing import Any

import msgspec
import pytest
from services.submit.tests.test_submit_stories import finish

from osmo_domain.label_policy import Enforcement, LabelPolicy, LabelsConfig
from osmo_domain.pool import UserLimits
from osmo_domain.requests import CheckData, DataChecked, RestartRequest, Submitted
from osmo_domain.workflow.status import TaskStatus, WorkflowStatus
from osmo_eventlog.subjects import DATA_QUESTIONS

SPEC = """workflow:
  name: w
  tasks:
  - {name: a, image: alpine, command: [x]}
  - {name: b, image: alpine, command: [x]}
"""
READS = "workflow:\n  name: r\n  tasks:\n  - {name: a, image: alpine, command: [x], inputs: [{task: 'w-1:a'}]}\n"


def ask(house: Any, **settings: Any) -> None:
    house.catalogue.workflow = msgspec.structs.replace(house.catalogue.workflow, **settings)


def team(enforcement: Enforcement) -> LabelsConfig:
    return LabelsConfig((LabelPolicy("team", ("red",), enforcement, "See the handbook."),))


async def test_an_enforced_policy_refuses_and_leaves_nothing_behind(house: Any) -> None:
    ask(house, labels_config=team(Enforcement.ENFORCE))
    refusal = await house.refusal(SPEC, labels=("team=blue",))
    assert (refusal.code, refusal.error_code) == ("labels.policy", "USAGE")
    assert refusal.message == "The label team is blue, and may be red. See the handbook."
    assert await house.count() == 0
    assert (await house.submit(SPEC, labels=("team=red",))).warnings == ()


@pytest.mark.parametrize("only_validate", [True, False])
async def test_a_warning_policy_warns(house: Any, only_validate: bool) -> None:
    ask(house, labels_config=team(Enforcement.WARN))
    answer = await house.submit(SPEC, validation_only=only_validate)
    assert answer.warnings == ("The label team is missing. See the handbook.",)


async def test_labels_must_be_fit_for_pods(house: Any) -> None:
    ask(house, labels_config=LabelsConfig(pod_label_prefix="example.com/"))
    assert (await house.refusal(SPEC, labels=("a.org/x=y",))).code == "labels.pod_key"


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (UserLimits(max_num_workflows=3), "submit.user_workflows"),
        (UserLimits(max_num_tasks=6), "submit.user_tasks"),
        (UserLimits(max_num_workflows=4, max_num_tasks=7), None),
    ],
)
async def test_what_a_user_has_alive_is_limited(house: Any, limits: UserLimits, code: str | None) -> None:
    ask(house, user_workflow_limits=limits)
    alive = {"alive_workflows": 3, "alive_tasks": 5}
    if code is None:
        assert (await house.submit(SPEC, **alive)).name == "w-1"
        return
    refusal = await house.refusal(SPEC, **alive)
    assert (refusal.code, refusal.error_code) == (code, "USER")
    assert await house.count() == 0
    assert (await house.submit(SPEC, validation_only=True, **alive)).logs


async def test_a_restart_is_bound_by_neither(house: Any) -> None:
    await house.submit(SPEC)
    await fail(house, "w-1")
    ask(house, labels_config=team(Enforcement.ENFORCE), user_workflow_limits=UserLimits(max_num_workflows=1))
    answer = await house.ask(RestartRequest("lab", "ada", "w-1"))
    assert isinstance(answer, Submitted)
    assert answer.name == "w-2"
    refusal = await house.refusal(None, source_workflow_id="w-1", alive_workflows=1)
    assert refusal.code == "labels.policy"
    refusal = await house.refusal(None, source_workflow_id="w-1", alive_workflows=1, labels=("team=red",))
    assert refusal.code == "submit.user_workflows"


async def test_datasets_validate_with_a_warning_and_are_not_submitted(house: Any) -> None:
    spec = SPEC.replace("command: [x]}", "command: [x], outputs: [{dataset: {name: ds}}]}", 1)
    answer = await house.submit(spec, validation_only=True)
    assert answer.logs == "Workflow validation succeeded."
    assert "does not store datasets" in answer.warnings[0]
    refusal = await house.refusal(spec)
    assert (refusal.code, refusal.error_code, refusal.line) == ("plan.no_datasets", "USAGE", 4)
    assert await house.count() == 1


async def test_a_dataset_that_is_read_here_is_submitted(house: Any) -> None:
    spec = SPEC.replace("name: a, image: alpine,", "name: a, image: alpine, outputs: [{dataset: {name: ds}}],").replace(
        "name: b, image: alpine,", "name: b, image: alpine, inputs: [{dataset: ds}],"
    )
    answer = await house.submit(spec)
    assert "handed on within this workflow" in answer.warnings[0]
    event = await house.submitted("w-1")
    assert event.plan.groups[1].upstreams == ("a-group",)
    await fail(house, "w-1", failed=("b",))
    again = await house.ask(RestartRequest("lab", "ada", "w-1"))
    assert isinstance(again, Submitted), again
    (group,) = (await house.submitted("w-2")).plan.groups
    assert group.tasks[0].inputs[0].url == "file:///store/w-1/a.datasets/.ds"


async def test_an_earlier_task_that_kept_nothing_is_warned_about(house: Any) -> None:
    kept = SPEC.replace("command: [x]}", "command: [x], outputs: [{url: 's3://b/x'}], kpis: [{index: 1, path: k}]}", 1)
    await house.submit(kept)
    await fail(house, "w-1")
    answer = await house.submit(READS)
    assert answer.warnings == ("Task a of w-1 kept no copy of its output: the input from it will be empty.",)
    answer = await house.submit(READS.replace("w-1:a", "w-1:b"))
    assert answer.warnings == ()


async def fail(house: Any, workflow_id: str, failed: tuple[str, ...] = ("a", "b")) -> None:
    """Let the groups end, these of them badly."""
    ends = {f"{name}-group": TaskStatus.FAILED if name in failed else TaskStatus.COMPLETED for name in ("a", "b")}
    await finish(house, workflow_id, ends, WorkflowStatus.FAILED)


async def only_files(data: bytes) -> bytes:
    """An installation that has no other storage."""
    question = msgspec.json.decode(data, type=CheckData)
    others = [uri for uri, _ in question.uris if not uri.startswith("file:")]
    return msgspec.json.encode(
        DataChecked(dict.fromkeys(others, "no such storage"), dict.fromkeys(others, "storage.uri.unknown_scheme"))
    )


@pytest.mark.parametrize(
    "key",
    [
        "inputs: [{url: 's3://b/x'}]",
        "outputs: [{url: 's3://b/x'}]",
        "checkpoint: [{path: /c, url: 's3://b/x', frequency: 1s}]",
    ],
)
async def test_storage_that_is_not_here_validates_with_a_warning_and_is_not_submitted(
    house_alone: Any, server: Any, key: str
) -> None:
    spec = SPEC.replace("command: [x]}", f"command: [x], {key}}}", 1)
    async with server.connect("data").requests.serve("data", DATA_QUESTIONS, only_files):
        answer = await house_alone.submit(spec, validation_only=True)
        assert answer.warnings == (
            "This installation cannot reach s3://b/x: no such storage: submitting would be refused.",
        )
        refusal = await house_alone.refusal(spec)
        assert (refusal.code, refusal.error_code) == ("data.no_storage", "CREDENTIAL")
        assert await house_alone.count() == 1
        assert (await house_alone.submit(spec.replace("s3://b/x", "file:///x"))).name == "w-2"
