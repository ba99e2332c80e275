"""The simulated cluster: scripts, mistakes in them, and a memory that outlives the process."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from osmo_agent.settings import AgentSettings
from osmo_agent.simulated import Journal, SimulatedCluster, parse_nodes
from osmo_agent.simulated.cluster import Seen
from osmo_domain.cluster import PodEvent, PodFact, PodPhase
from osmo_domain.command import CreateGroup
from osmo_domain.plan import GroupPlan, TaskPlan
from osmo_domain.workflow.pod_status import judge
from osmo_domain.workflow.status import TaskStatus

START = datetime(2026, 1, 1, tzinfo=UTC)


def create(
    *, image: str = "ubuntu", retry_id: int = 0, node: str = "sim-0001", name: str = "t", **environment: str
) -> CreateGroup:
    task = TaskPlan(name=name, image=image, command=("true",), environment=environment)
    return CreateGroup("w-1", "uuid", "p", "u", "g", {name: retry_id}, {name: node}, GroupPlan("g", (task,)))


def run(command: CreateGroup, *, seconds: float = 1000) -> list[Seen]:
    """Everything that is seen of one group until then."""
    cluster = SimulatedCluster(parse_nodes("2x8"))
    watch = cluster.watch()
    cluster.apply(command, START)
    cluster.move_on(START + timedelta(seconds=seconds))
    return watch.take()


def last(command: CreateGroup) -> PodFact:
    return [seen for seen in run(command) if isinstance(seen, PodFact)][-1]


def test_times_are_those_of_the_script_and_not_of_the_look() -> None:
    facts = [seen for seen in run(create(SIM_SECONDS="2.5", SIM_START_SECONDS="0.25")) if isinstance(seen, PodFact)]
    assert [(fact.phase, (fact.at - START).total_seconds()) for fact in facts] == [
        (PodPhase.PENDING, 0),
        (PodPhase.INITIALIZING, 0),
        (PodPhase.RUNNING, 0.25),
        (PodPhase.SUCCEEDED, 2.75),
    ]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SIM_SECONDS": "soon"}, "SIM_SECONDS: 'soon'"),
        ({"SIM_SECONDS": "-1"}, "SIM_SECONDS: '-1'"),
        ({"SIM_SECONDS": "nan"}, "SIM_SECONDS"),
        ({"SIM_SECONDS": "inf"}, "SIM_SECONDS"),
        ({"SIM_SECONDS": ""}, "SIM_SECONDS: ''"),
        ({"SIM_EXIT_CODE": "256"}, "SIM_EXIT_CODE: '256'"),
        ({"SIM_EXIT_CODE": "x"}, "SIM_EXIT_CODE: 'x'"),
        ({"SIM_EXIT_CODE": ""}, "SIM_EXIT_CODE: ''"),
        ({"SIM_START_SECONDS": "1e99"}, "SIM_START_SECONDS"),
        ({"SIM_EVICT": "yes"}, "SIM_EVICT: 'yes'"),
        ({"SIM_OOM": "1,"}, "SIM_OOM: '1,'"),
    ],
)
def test_a_value_that_makes_no_sense_fails_the_pod_and_is_named(variables: dict[str, str], words: str) -> None:
    fact = last(create(**variables))
    assert fact.phase is PodPhase.FAILED
    assert words in fact.message
    assert judge(fact).status is TaskStatus.FAILED
    assert fact.containers[0].exit_code == 1


def test_exit_codes_may_differ_per_attempt() -> None:
    codes = [last(create(SIM_EXIT_CODE="7,9,0", retry_id=retry_id)).containers[0].exit_code for retry_id in range(5)]
    assert codes == [7, 9, 0, 0, 0]


@pytest.mark.parametrize(
    "image", ["missing", "missing:1", "registry/missing-image:2", "registry:5000/team/app:missing"]
)
def test_an_image_called_missing_cannot_be_pulled(image: str) -> None:
    seen = run(create(image=image))
    fact = [each for each in seen if isinstance(each, PodFact)][-1]
    assert judge(fact).status is TaskStatus.FAILED_IMAGE_PULL
    assert any(isinstance(each, PodEvent) and "pull" in each.message for each in seen)


@pytest.mark.parametrize("image", ["dismissing", "missing/app", "app:not-missing"])
def test_other_images_can(image: str) -> None:
    assert last(create(image=image)).phase is PodPhase.SUCCEEDED


def test_an_evicted_pod_is_judged_so() -> None:
    fact = last(create(SIM_EVICT="1", SIM_SECONDS="3"))
    assert judge(fact).status is TaskStatus.FAILED_EVICTED
    assert fact.at == START + timedelta(seconds=3)


def test_a_pod_for_a_node_that_is_not_there_waits() -> None:
    seen = run(create(node="elsewhere"))
    assert [each.phase for each in seen if isinstance(each, PodFact)] == [PodPhase.PENDING]
    assert any(isinstance(each, PodEvent) and "'elsewhere'" in each.message for each in seen)


def test_a_lost_node_fails_its_pods() -> None:
    cluster = SimulatedCluster(parse_nodes("2x8"))
    cluster.apply(create(SIM_SECONDS="100"), START)
    watch = cluster.watch()
    cluster.lose_node("sim-0001", START + timedelta(seconds=5))
    fact = watch.take()[-1]
    assert isinstance(fact, PodFact)
    assert judge(fact).status is TaskStatus.FAILED_BACKEND_ERROR
    assert [node.name for node in cluster.node_facts(START)] == ["sim-0002"]


def test_only_the_newest_watch_goes_on() -> None:
    cluster = SimulatedCluster(parse_nodes("1x8"))
    old, new = cluster.watch(), cluster.watch()
    cluster.unwatch(old)
    cluster.apply(create(), START)
    assert old.take() == []
    assert new.take()


@pytest.mark.parametrize("text", ["", "25", "x8", "0x8", "25x", "25x8x2", "-1x8", "٢x8", "25 x 8", "1000000x8"])
def test_nodes_that_are_written_wrongly_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="COUNTxGPUS"):
        parse_nodes(text)


def test_twenty_five_nodes_of_eight() -> None:
    nodes = parse_nodes(AgentSettings().simulated_nodes)
    assert (len(nodes), set(nodes.values()), min(nodes), max(nodes)) == (25, {8}, "sim-0001", "sim-0025")


def journaled(path: Path) -> tuple[SimulatedCluster, Journal]:
    journal = Journal(path)
    cluster = SimulatedCluster(parse_nodes("2x8"))
    cluster.adopt(journal.pods, journal.deleted)
    return cluster, journal


def delete(cluster: SimulatedCluster, journal: Journal, task: str) -> None:
    cluster.delete([("uuid", task, 0)], START)
    journal.removed([("uuid", task, 0)])


def test_pods_outlive_the_process_with_their_times(tmp_path: Path) -> None:
    path = tmp_path / "state" / "pods.jsonl"
    cluster, journal = journaled(path)
    journal.made(cluster.apply(create(SIM_SECONDS="60"), START))
    journal.made(cluster.apply(create(name="other", SIM_SECONDS="60"), START))
    delete(cluster, journal, "other")
    journal.close()
    cluster, journal = journaled(path)
    journal.close()
    watch = cluster.watch()
    cluster.move_on(START + timedelta(hours=1))
    end = watch.take()[-1]
    assert isinstance(end, PodFact)
    assert (end.task, end.phase, end.at) == ("t", PodPhase.SUCCEEDED, START + timedelta(seconds=60))


def test_what_was_deleted_is_not_made_again_even_by_a_later_process(tmp_path: Path) -> None:
    path = tmp_path / "pods.jsonl"
    cluster, journal = journaled(path)
    delete(cluster, journal, "t")
    assert cluster.apply(create(), START) == []
    journal.close()
    cluster, journal = journaled(path)
    assert cluster.apply(create(), START) == []
    assert len(cluster.apply(create(retry_id=1), START)) == 1
    journal.close()


@pytest.mark.parametrize("torn", [b'{"type":"made","pod":{"workfl', b"\x00\x00\x00", b'{"type":"made"}\n'])
def test_a_torn_line_is_forgotten_and_the_rest_kept(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "pods.jsonl"
    cluster, journal = journaled(path)
    journal.made(cluster.apply(create(), START))
    journal.close()
    with path.open("ab") as file:
        file.write(torn)
    cluster, journal = journaled(path)
    journal.made(cluster.apply(create(name="later"), START))
    journal.close()
    assert [pod.task for pod in Journal(path).pods] == ["t", "later"]


def test_the_journal_does_not_grow_with_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osmo_agent.simulated.journal.COMPACT_BEYOND", 100)
    monkeypatch.setattr("osmo_agent.simulated.journal.DELETED_KEPT", 10)
    path = tmp_path / "pods.jsonl"
    cluster, journal = journaled(path)
    for number in range(1000):
        journal.made(cluster.apply(create(name=f"t{number}"), START))
        delete(cluster, journal, f"t{number}")
    journal.close()
    assert len(path.read_bytes().splitlines()) <= 160


def test_observers_hear_of_each_pod_once() -> None:
    made: list[Any] = []
    hear: Callable[[Any], None] = made.append
    cluster = SimulatedCluster(parse_nodes("1x1"), observe=hear)
    for _ in range(3):
        cluster.apply(create(), START)
    assert len(made) == 1
