"""From a plan to what each pod runs."""

import pytest

from osmo_agent.process.expansion import expand, expand_environment
from osmo_agent.process.loopback import loopback_of
from osmo_agent.process.pod_specs import pod_specs
from osmo_domain.command import CreateGroup
from osmo_domain.ids import pod_name, task_uuid
from osmo_domain.plan import CheckpointPlan, FilePlan, GroupPlan, InputPlan, OutputPlan, Resources, TaskPlan
from osmo_runtime.pod import PodCheckpoint, PodFile, PodInput, PodOutput, PodSpec

UUID = "ab" * 16


def command(*tasks: TaskPlan, retry_ids: dict[str, int], barrier: bool = True) -> CreateGroup:
    group = GroupPlan("g", tasks, barrier=barrier)
    return CreateGroup("wf-1", UUID, "p", "u", "g", retry_ids, {}, group=group, tokens={"a": "secret"})


def test_everything_of_a_plan_reaches_its_pod() -> None:
    plan = TaskPlan(
        name="a",
        image="image",
        command=("run", "$(WHO)"),
        args=("--at={{host:a}}", "$(NOT_SET)"),
        environment={"WHO": "me"},
        files=(FilePlan("/x", "to {{host:a}}"), FilePlan("/y", "e3toOnR9fQ==", True)),
        inputs=(InputPlan("file:///in", "r", task="up"),),
        outputs=(OutputPlan("file:///out", "s", intermediate=True),),
        checkpoints=(CheckpointPlan("/p", "file:///c", 5, "t"),),
        resources=Resources(gpu=2),
    )
    address = loopback_of(UUID, "a")
    assert pod_specs(command(plan, retry_ids={"a": 3}), "http://router", "http://service") == [
        PodSpec(
            workflow_id="wf-1",
            workflow_uuid=UUID,
            group="g",
            task="a",
            task_uuid=task_uuid(UUID, "a"),
            retry_id=3,
            pod_name=pod_name(UUID, "a"),
            image="image",
            command=("run", "me"),
            args=(f"--at={address}", "$(NOT_SET)"),
            router_url="http://router",
            token="secret",
            environment={"WHO": "me"},
            files=(PodFile("/x", f"to {address}"), PodFile("/y", "e3toOnR9fQ==", True)),
            inputs=(PodInput("file:///in", "r", "up"),),
            outputs=(PodOutput("file:///out", "s", True),),
            checkpoints=(PodCheckpoint("/p", "file:///c", 5, "t"),),
            gpu=2,
            user="u",
            service_url="http://service",
        )
    ]


def test_only_the_named_attempts_get_pods_and_a_gang_has_a_barrier() -> None:
    tasks = [TaskPlan(name=name, image="i", command=("c",)) for name in "abc"]
    specs = pod_specs(command(*tasks, retry_ids={"a": 0, "c": 2}), "")
    assert [(spec.task, spec.retry_id, spec.barrier) for spec in specs] == [
        ("a", 0, "osmo-group-ready"),
        ("c", 2, "osmo-group-ready"),
    ]
    assert [spec.barrier for spec in pod_specs(command(*tasks, retry_ids={"a": 0}, barrier=False), "")] == [""]


def test_hosts_are_those_of_the_same_group_and_other_names_stay() -> None:
    tasks = [TaskPlan(name="a", image="i", command=("{{host:b}} {{host:elsewhere}} {{ host:a }}",))]
    tasks.append(TaskPlan(name="b", image="i", command=("c",)))
    (spec, _) = pod_specs(command(*tasks, retry_ids={"a": 0, "b": 0}), "")
    assert spec.command == (f"{loopback_of(UUID, 'b')} {{{{host:elsewhere}}}} {loopback_of(UUID, 'a')}",)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)z", "x1y2z"),
        ("$$(A)", "$(A)"),
        ("$(C)", "$(C)"),
        ("kill $$; $A ${A} $( A )", "kill $$; $A ${A} $( A )"),
        ("$(", "$("),
    ],
)
def test_references_to_the_environment_are_expanded(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expanded


def test_a_value_may_name_those_before_it() -> None:
    assert expand_environment({"B": "$(A)", "A": "1", "C": "$(A)$(B)"}) == {"B": "$(A)", "A": "1", "C": "1$(A)"}


def test_addresses_differ_between_tasks_and_are_stable() -> None:
    assert len({loopback_of(UUID, str(number)) for number in range(500)}) > 490
    assert loopback_of(UUID, "a") == loopback_of(UUID, "a")
    assert all(0 < int(part) < 255 for part in loopback_of(UUID, "a").split(".")[1::2])
