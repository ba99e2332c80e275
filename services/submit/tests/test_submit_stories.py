"""What the service does with good requests: submit, dry run, validate, submit again, restart, cancel, tag, and repeat under a key."""

import asyncio
from typing import Any

import msgspec

from osmo_domain.commit import Commit, encode_commit
from osmo_domain.errors import Stale
from osmo_domain.plan import InputPlan
from osmo_domain.requests import CancelRequest, Done, Refused, RestartRequest, SubmitRequest, Submitted, TagRequest
from osmo_domain.workflow.events import (
    GroupFinished,
    GroupQueued,
    TaskFinished,
    WorkflowCancelRequested,
    WorkflowFinished,
    WorkflowTagged,
)
from osmo_domain.workflow.status import TaskStatus, WorkflowStatus
from osmo_eventlog.subjects import NAMES, name_counter, workflow
from osmo_submit.numbers import Numbers

SPEC = """# comment
workflow:
  name: w
  labels: {team: robots}
  tasks:
  - name: a
    image: alpine
    command: sh -c "echo {{workflow_id}} > {{output}}/f"
    environment: {API_TOKEN: sesame-open-now}
  - name: b
    image: alpine
    command: [cat]
    args: ["{{input:0}}/f"]
    inputs: [{task: a}]
"""


async def test_a_submission_is_in_the_log_before_it_is_answered(house: Any) -> None:
    answer = await house.submit(SPEC, app_uuid="app", app_version=3)
    event = await house.submitted("w-1")
    assert answer == Submitted("w-1", subject="osmo.workflow.0.w-1", seq=1)
    assert (event.workflow_id, event.user, event.app_uuid, event.app_version) == ("w-1", "ada", "app", 3)
    assert event.plan.labels == {"team": "robots"}
    assert event.plan.groups[0].tasks[0].command == ("sh", "-c", "echo w-1 > /osmo/data/output/f")
    assert event.plan.groups[1].tasks[0].inputs == (InputPlan("file:///store/w-1/a", task="a"),)


async def test_the_stored_text_is_redacted_and_the_plan_is_not(house: Any) -> None:
    await house.submit(SPEC)
    event = await house.submitted("w-1")
    text = (await house.connection.blobs.get(event.spec_blob)).decode()
    assert "sesame" not in text
    assert "API_TOKEN: [MASKED]" in text
    assert event.plan.groups[0].tasks[0].environment == {"API_TOKEN": "sesame-open-now"}
    assert event.template_blob == ""


async def test_the_template_is_kept_where_there_is_one(house: Any) -> None:
    await house.submit("default-values: {x: alpine}\n" + SPEC.replace("alpine", "{{x}}"))
    event = await house.submitted("w-1")
    assert b"default-values" in await house.connection.blobs.get(event.template_blob)
    assert b"image: alpine" in await house.connection.blobs.get(event.spec_blob)


async def test_a_large_plan_is_a_blob(house: Any) -> None:
    await house.submit(SPEC.replace("echo", f"echo {'x' * 40_000}"))
    event = await house.submitted("w-1")
    assert event.plan is None
    assert b"echo xxx" in await house.connection.blobs.get(event.plan_blob)


async def test_a_dry_run_answers_with_sorted_yaml_and_labels(house: Any) -> None:
    answer = await house.submit(
        "workflow: {name: w, tasks: [{name: '{{n}}', image: i, odd: key}]}\n",
        dry_run=True,
        set_variables=("n=1",),
        labels=("team=x",),
    )
    assert answer.name == "w"
    assert answer.spec == (
        "workflow:\n  labels:\n    team: x\n  name: w\n  tasks:\n  - image: i\n    name: '1'\n    odd: key\n"
    )
    assert await house.count() == 0


async def test_what_a_dry_run_gave_is_accepted_again(house: Any) -> None:
    dry = await house.submit(SPEC, dry_run=True)
    answer = await house.submit(dry.spec, uploaded_templated_spec=SPEC, set_variables=("unused=1",))
    assert answer.name == "w-1"


async def test_a_validation_stores_nothing(house: Any) -> None:
    answer = await house.submit(SPEC, validation_only=True)
    assert (answer.name, answer.logs) == ("w", "Workflow validation succeeded.")
    assert await house.count() == 0


async def test_an_administrator_may_use_a_closed_pool(house: Any) -> None:
    assert (await house.submit(SPEC, pool="closed", roles=("osmo-admin",))).name == "w-1"


async def test_numbers_count_per_name_also_when_many_come_at_once_in_several_replicas(house: Any) -> None:
    doors = [house.door, house.replica(2), house.replica(3)]
    answers = await asyncio.gather(*(house.submit(SPEC, door=doors[n % 3]) for n in range(60)))
    other = await house.submit(SPEC.replace("name: w", "name: v"))
    assert len({answer.name for answer in answers}) == 60
    assert other.name == "v-1"
    assert max(int(answer.name.split("-")[1]) for answer in answers) < 200


async def test_hints_survive_and_a_lost_one_costs_only_tries(house: Any) -> None:
    log = house.connection.log
    numbers = Numbers(log)
    numbers.used("w", 41)
    await numbers.flush()
    hint = await log.last(NAMES, name_counter("w"))
    assert hint.data == b"41"
    assert await Numbers(log).next("w") == 42
    for _ in range(20):
        await house.submit(SPEC.replace("name: w", "name: lost"))
    answer = await house.submit(SPEC.replace("name: w", "name: lost"), door=house.replica(2))
    assert int(answer.name.split("-")[1]) > 20


async def test_a_repeated_key_gets_the_first_answer_whoever_is_asked(house: Any) -> None:
    first = await house.submit(SPEC, idempotency_key="k")
    assert await house.submit(SPEC, idempotency_key="k") == first
    assert await house.submit(SPEC.replace("alpine", "busybox"), idempotency_key="k", door=house.replica(2)) == first
    assert (await house.submit(SPEC, idempotency_key="other")).name == "w-2"
    answer = await house.ask(SubmitRequest("lab", "bob", SPEC, idempotency_key="k"))
    assert isinstance(answer, Submitted)
    assert answer.name == "w-3"


async def test_the_same_key_at_the_same_moment_gives_one_workflow(house: Any) -> None:
    doors = [house.door, house.replica(2), house.replica(3)]
    answers = await asyncio.gather(*(house.submit(SPEC, idempotency_key="k", door=door) for door in doors * 4))
    assert len({answer.name for answer in answers}) == 1
    assert await house.count() == 1


async def test_a_claim_whose_number_was_taken_by_another_moves_on(house: Any) -> None:
    """As after a crash between claim and append, when somebody else got the number meanwhile."""
    log = house.connection.log
    await house.submit(SPEC, idempotency_key="k")
    claim_subject = (await log.last(NAMES, "osmo.name.*")).subject
    await house.submit(SPEC)
    claim = await log.last(NAMES, claim_subject)
    await log.purge("WORKFLOWS", workflow(0, "w-1"))
    changed = msgspec.json.encode({"workflow_id": "w-2", "shard": 0})
    await log.append(claim_subject, changed, message_id="moved", expected=claim.seq)
    answer = await house.submit(SPEC, idempotency_key="k", door=house.replica(2))
    assert answer.name != "w-2"
    assert (await house.submit(SPEC, idempotency_key="k", door=house.replica(3))).name == answer.name


async def test_a_remembered_refusal_is_remembered_once_per_key(house: Any) -> None:
    bad = SPEC.replace("image: alpine", "imag: alpine")
    first = await house.refusal(bad, idempotency_key="k")
    again = await house.refusal(bad, idempotency_key="k")
    assert (again.code, again.message, again.workflow_id) == (first.code, first.message, first.workflow_id)
    await house.refusal(SPEC.replace("[cat]", "[cat"), idempotency_key="y")
    await house.refusal(SPEC.replace("[cat]", "[cat"), idempotency_key="y")
    assert await house.count() == 2


async def finish(house: Any, workflow_id: str, groups: dict[str, TaskStatus], status: WorkflowStatus) -> None:
    """Append what a scheduler would, in short."""
    records = await house.connection.log.load(workflow(0, workflow_id))
    at = (await house.submitted(workflow_id)).at
    events: list[Any] = []
    for group, end in groups.items():
        events.append(GroupQueued(group, at))
        events.append(TaskFinished(group.removesuffix("-group"), 0, end, at))
        events.append(GroupFinished(group, end, at))
    events.append(WorkflowFinished(status, at))
    commit = Commit(id=f"end-{workflow_id}", at=at, actor="scheduler", events=events)
    await house.connection.log.append(
        workflow(0, workflow_id), encode_commit(commit), message_id=commit.id, expected=records[-1].seq
    )


async def test_a_restart_runs_what_failed_with_its_secrets_and_new_ids(house: Any) -> None:
    three = (
        SPEC
        + "  - {name: c, image: alpine, command: [x, '{{workflow_id}}'], environment: {SECRET_KEY: abcdefghijkl}, inputs: [{task: b}]}\n"
    )
    await house.submit(three)
    ends = {"a-group": TaskStatus.COMPLETED, "b-group": TaskStatus.FAILED, "c-group": TaskStatus.FAILED_UPSTREAM}
    await finish(house, "w-1", ends, WorkflowStatus.FAILED)
    answer = await house.ask(RestartRequest("lab", "ada", "w-1"))
    assert isinstance(answer, Submitted), answer
    assert answer.name == "w-2"
    event = await house.submitted("w-2")
    b, c = (group.tasks[0] for group in event.plan.groups)
    assert (event.parent_name, event.parent_number) == ("w", 1)
    assert event.plan.labels == {"team": "robots"}
    assert b.inputs == (InputPlan("file:///store/w-1/a", task="a", workflow="w-1"),)
    assert c.inputs == (InputPlan("file:///store/w-2/b", task="b"),)
    assert c.command == ("x", "w-2")
    assert c.environment == {"SECRET_KEY": "abcdefghijkl"}


async def test_only_what_failed_can_be_restarted(house: Any) -> None:
    await house.submit(SPEC)
    for status in (None, WorkflowStatus.COMPLETED):
        if status is not None:
            ends = dict.fromkeys(("a-group", "b-group"), TaskStatus.COMPLETED)
            await finish(house, "w-1", ends, status)
        answer = await house.ask(RestartRequest("lab", "ada", "w-1"))
        assert isinstance(answer, Refused)
        assert (answer.code, answer.error_code) == ("restart.not_failed", "SUBMISSION")


async def test_a_refused_submission_has_nothing_to_restart(house: Any) -> None:
    await house.refusal(SPEC.replace("alpine", "'a b'"))
    answer = await house.ask(RestartRequest("lab", "ada", "w-1"))
    assert isinstance(answer, Refused)
    assert answer.code == "workflow.never_ran"


async def test_submitting_an_earlier_workflow_again(house: Any) -> None:
    await house.submit(SPEC)
    answer = await house.submit(None, source_workflow_id="w-1", labels=("team=sky",), env_vars=("X=1",))
    event = await house.submitted(answer.name)
    assert (answer.name, event.parent_name, event.parent_number) == ("w-2", "w", 1)
    assert event.plan.labels == {"team": "sky"}
    assert [group.tasks[0].environment.get("X") for group in event.plan.groups] == ["1", "1"]
    assert event.plan.groups[0].tasks[0].command[-1] == "echo w-2 > /osmo/data/output/f"
    dry = await house.submit(None, source_workflow_id="w-1", dry_run=True)
    assert dry.spec.startswith("workflow:")


async def test_inputs_from_an_earlier_workflow_must_have_ended(house: Any) -> None:
    await house.submit(SPEC)
    later = SPEC.replace("[{task: a}]", "[{task: 'w-1:a'}]").replace("name: w", "name: later")
    refusal = await house.refusal(later)
    assert (refusal.code, refusal.error_code) == ("spec.unfinished_earlier_task", "SUBMISSION")
    await finish(house, "w-1", {"a-group": TaskStatus.FAILED}, WorkflowStatus.FAILED)
    answer = await house.submit(later)
    event = await house.submitted(answer.name)
    consumer = next(task for group in event.plan.groups for task in group.tasks if task.name == "b")
    assert consumer.inputs[0].url == "file:///store/w-1/a"
    refusal = await house.refusal(later.replace("w-1:a", "w-1:zz"))
    assert (refusal.code, refusal.error_code) == ("spec.unknown_earlier_task", "DATABASE")


async def test_cancelling_is_recorded_once_and_again_only_by_force(house: Any) -> None:
    await house.submit(SPEC)
    first = await house.ask(CancelRequest("eve", "w-1", "enough"))
    again = await house.ask(CancelRequest("eve", "w-1", "enough"))
    assert isinstance(first, Done)
    assert first == again
    await house.ask(CancelRequest("eve", "w-1", "now", force=True))
    requests = [event for event in await house.events("w-1") if isinstance(event, WorkflowCancelRequested)]
    assert [(event.user, event.message, event.force) for event in requests] == [
        ("eve", "enough", False),
        ("eve", "now", True),
    ]


async def test_what_has_finished_is_cancelled_only_by_force(house: Any) -> None:
    await house.submit(SPEC)
    ends = dict.fromkeys(("a-group", "b-group"), TaskStatus.COMPLETED)
    await finish(house, "w-1", ends, WorkflowStatus.COMPLETED)
    answer = await house.ask(CancelRequest("eve", "w-1"))
    assert isinstance(answer, Refused)
    assert (answer.code, answer.error_code, answer.http_status) == ("cancel.finished", "USER", 400)
    assert isinstance(await house.ask(CancelRequest("eve", "w-1", force=True)), Done)


async def test_unknown_workflows_are_not_found_whatever_the_id_holds(house: Any) -> None:
    for workflow_id in ("w-9", "", "*", "a.b", ">", "é-1", "x y"):
        for request in (CancelRequest("eve", workflow_id), RestartRequest("lab", "eve", workflow_id)):
            answer = await house.ask(request)
            assert isinstance(answer, Refused)
            assert (answer.code, answer.error_code) == ("workflow.not_found", "DATABASE")
            assert answer.message == f"Workflow {workflow_id} is not found."


async def test_tags_are_those_of_the_installation(house: Any) -> None:
    await house.submit(SPEC)
    assert isinstance(await house.ask(TagRequest("eve", "w-1", ("good",), ("odd",))), Done)
    tagged = (await house.events("w-1"))[-1]
    assert isinstance(tagged, WorkflowTagged)
    assert (tagged.add, tagged.remove) == (("good",), ("odd",))
    for request, code in (
        (TagRequest("eve", "w-1", ("odd",)), "tag.unknown"),
        (TagRequest("eve", "w-1"), "tag.nothing"),
    ):
        answer = await house.ask(request)
        assert isinstance(answer, Refused)
        assert (answer.code, answer.error_code) == (code, "USER")


async def test_a_request_that_meets_a_newer_commit_decides_again(house: Any, monkeypatch: Any) -> None:
    await house.submit(SPEC)
    log_type = type(house.connection.log)
    append, raised = log_type.append, []

    async def once_stale(self: Any, *args: Any, **kwargs: Any) -> int:
        if not raised:
            raised.append(True)
            raise Stale
        seq: int = await append(self, *args, **kwargs)
        return seq

    monkeypatch.setattr(log_type, "append", once_stale)
    assert isinstance(await house.ask(TagRequest("eve", "w-1", ("good",))), Done)
    assert raised
