"""The agent's kubernetes runtime against a real API server: what becomes of pods that end, are refused, are deleted by hand or lose their node."""

import asyncio
import base64
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.cluster.api import Api
from tests.cluster.kubernetes import KubernetesCluster
from tests.kubernetes_runtime import (
    BACKEND,
    HASTY,
    UUID,
    Line,
    create,
    creation,
    delete,
    eventually,
    is_empty,
    is_phase,
    link_to,
    names_in,
    one_life,
    task,
    watched,
)

from osmo_agent.kubernetes.ended import EndedAttempts
from osmo_agent.kubernetes.rights import needed
from osmo_agent.kubernetes.runtime import KubernetesRuntime
from osmo_agent.ports import GroupRefusedError
from osmo_domain.cluster import PodFact, PodPhase
from osmo_domain.command import DeleteGroup, RestartTasks
from osmo_domain.errors import Rejected, Transient
from osmo_domain.ids import group_uuid, pod_name, task_uuid
from osmo_domain.plan import FilePlan
from osmo_domain.pod_making import PlatformPods, PodMaking
from osmo_domain.workflow.pod_status import judge
from osmo_domain.workflow.status import TaskStatus
from osmo_kube import connect
from osmo_runtime.pod import PodSpec
from osmo_runtime.pod_secrets import PodSecrets

pytestmark = pytest.mark.xdist_group("cluster")

POD = pod_name(UUID, "a")
STAYS = PodMaking(platforms={"": PlatformPods({"metadata": {"annotations": {"test.osmo/stays": "pending"}}})})
"""KWOK leaves these pods alone: the test is their kubelet."""


async def set_status(api: Api, namespace: str, name: str = POD, **status: Any) -> None:
    """As the pod's kubelet does it."""
    await api.patch(f"/api/v1/namespaces/{namespace}/pods/{name}/status", {"status": status})


def ended(name: str, code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    return {"name": name, "image": "", "imageID": "", "ready": False, "restartCount": 0, "state": state}


def waiting(name: str, reason: str, message: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"name": name, "image": "", "imageID": "", "ready": False, "restartCount": 0, "state": state}


async def test_a_group_has_all_that_it_needs_and_leaves_nothing(kubernetes: KubernetesCluster, home: str) -> None:
    template = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "for-{{WF_GROUP_UUID}}"},
        "data": {"who": "{{WF_SUBMITTED_BY}}"},
    }
    making = PodMaking(group_templates=(template,))
    group = group_uuid(UUID, "g")
    secrets = PodSecrets({"T": "v"}, registries=({"registry": "r.example", "username": "u", "auth": "p"},))
    files = (FilePlan("/etc/x", "text"),)
    async with one_life(kubernetes, home) as runtime, kubernetes.api() as api, watched(runtime) as seen:
        await create(runtime, task(files=files), task("b"), making=making, secrets={"a": secrets})
        await seen.until(is_phase(PodPhase.RUNNING))
        await seen.until(is_phase(PodPhase.RUNNING), "b")
        assert await names_in(api, home, "secrets") == sorted([f"{POD}-0", f"{pod_name(UUID, 'b')}-0", f"{group}-user"])
        assert await names_in(api, home, "services") == [f"osmo-{group}"]
        made = await api.get(f"/api/v1/namespaces/{home}/configmaps/for-{group}")
        assert made["data"] == {"who": "ann"}
        assert made["metadata"]["labels"]["osmo.group_uuid"] == group
        pod = await api.get(f"/api/v1/namespaces/{home}/pods/{POD}")
        assert pod["spec"]["nodeName"] == "kwok-0"
        assert pod["spec"]["subdomain"] == f"osmo-{group}"
        told = (await api.get(f"/api/v1/namespaces/{home}/secrets/{POD}-0"))["data"]["pod.json"]
        assert msgspec.json.decode(base64.b64decode(told), type=PodSpec).token == "proof"
        await delete(runtime, "a", "b")
        await eventually(lambda: is_empty(api, home))
        assert await runtime.list_pods() == []


async def test_groups_may_share_what_their_template_names_alike(kubernetes: KubernetesCluster, home: str) -> None:
    """It goes with the group that made it."""
    making = PodMaking(group_templates=({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}},))
    other = UUID[::-1]
    async with one_life(kubernetes, home) as runtime, kubernetes.api() as api:
        await create(runtime, task(), making=making)
        await create(runtime, task(), making=making, uuid=other)
        assert len(await runtime.list_pods()) == 2
        await runtime.delete_group(DeleteGroup("wf-1", other, "g", {"a": 0}, force=True))
        assert "shared" in await names_in(api, home, "configmaps")
        await delete(runtime)
        await eventually(lambda: is_empty(api, home))


@pytest.mark.parametrize(
    ("status", "means"),
    [
        ({"phase": "Failed", "containerStatuses": [ended("a", 3)]}, (TaskStatus.FAILED, 3)),
        ({"phase": "Failed", "containerStatuses": [ended("a", 137, "OOMKilled")]}, (TaskStatus.FAILED_EVICTED, 3004)),
        ({"phase": "Failed", "reason": "Evicted", "message": "disk"}, (TaskStatus.FAILED_EVICTED, 3004)),
        (
            {"phase": "Pending", "containerStatuses": [waiting("a", "ErrImagePull", "no such image")]},
            (TaskStatus.FAILED_IMAGE_PULL, 302),
        ),
        ({"phase": "Failed", "initContainerStatuses": [ended("osmo-init", 1)]}, (TaskStatus.FAILED, 256)),
        (
            {
                "phase": "Failed",
                "containerStatuses": [ended("osmo-ctrl", 1, message='{"code": 10, "message": "no data"}')],
            },
            (TaskStatus.FAILED, 2010),
        ),
        (
            {
                "phase": "Failed",
                "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}],
            },
            (TaskStatus.FAILED_PREEMPTED, 3006),
        ),
    ],
)
async def test_what_a_kubelet_says_reaches_the_scheduler(
    kubernetes: KubernetesCluster, home: str, status: dict[str, Any], means: tuple[TaskStatus, int]
) -> None:
    async with one_life(kubernetes, home) as runtime, kubernetes.api() as api, watched(runtime) as seen:
        await create(runtime, task(), making=STAYS)
        await seen.until(is_phase(PodPhase.INITIALIZING))
        await set_status(api, home, **status)

        def judged(fact: PodFact) -> bool:
            ending = judge(fact)
            return (ending.status, ending.exit_code) == means

        await seen.until(judged)


async def test_an_end_that_nobody_watched_is_found_with_the_time_it_had(
    kubernetes: KubernetesCluster, home: str
) -> None:
    async with one_life(kubernetes, home) as runtime, watched(runtime) as seen:
        await create(runtime, task(), making=STAYS)
        began = await seen.until(is_phase(PodPhase.INITIALIZING))
    async with kubernetes.api() as api:
        finished = {
            "terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": f"{began.at:%Y-%m-%dT%H:%M:%SZ}"}
        }
        await set_status(api, home, phase="Succeeded", containerStatuses=[{**ended("a", 0), "state": finished}])
    async with one_life(kubernetes, home) as runtime, watched(runtime) as seen:
        end = await seen.until(is_phase(PodPhase.SUCCEEDED))
        assert abs((end.at - began.at).total_seconds()) < 1


async def test_a_retry_takes_the_place_of_the_attempt_before(kubernetes: KubernetesCluster, home: str) -> None:
    async with one_life(kubernetes, home) as runtime, kubernetes.api() as api, watched(runtime) as seen:
        await create(runtime, task(), making=STAYS)
        await seen.until(is_phase(PodPhase.INITIALIZING))
        await set_status(api, home, phase="Failed", containerStatuses=[ended("a", 1)])
        await seen.until(is_phase(PodPhase.FAILED))
        await create(runtime, task(), retry_id=1)
        await seen.until(is_phase(PodPhase.RUNNING), retry_id=1)
        assert [(pod.task, pod.retry_id) for pod in await runtime.list_pods()] == [("a", 1)]
        await create(runtime, task(), retry_id=0)
        assert [(pod.task, pod.retry_id) for pod in await runtime.list_pods()] == [("a", 1)]
        assert seen.facts(retry_id=0)[-1].phase is PodPhase.FAILED


async def test_a_retry_waits_for_a_pod_that_will_not_end(
    kubernetes: KubernetesCluster, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something else holds the old pod; the command is given back and works when it is gone."""
    monkeypatch.setattr("osmo_agent.kubernetes.making.OLD_POD_WITHIN_S", 0.3)
    async with one_life(kubernetes, home) as runtime, kubernetes.api() as api, watched(runtime) as seen:
        await create(runtime, task())
        await seen.until(is_phase(PodPhase.RUNNING))
        path = f"/api/v1/namespaces/{home}/pods/{POD}"
        await api.patch(path, {"metadata": {"finalizers": ["example.com/held"]}})
        with pytest.raises(Transient, match="has not ended yet"):
            await create(runtime, task(), retry_id=1)
        await api.patch(path, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/held"]}})
        await eventually(lambda: is_gone(runtime))
        await create(runtime, task(), retry_id=1)
        await seen.until(is_phase(PodPhase.RUNNING), retry_id=1)


async def is_gone(runtime: KubernetesRuntime) -> bool:
    return not await runtime.list_pods()


async def test_a_group_that_the_api_server_rejects_is_refused_in_its_words(
    kubernetes: KubernetesCluster, home: str
) -> None:
    bad = PodMaking(platforms={"": PlatformPods({"spec": {"priorityClassName": "no-such-class"}})})
    worse = PodMaking(platforms={"": PlatformPods({"spec": {"dnsPolicy": "{{NOBODY_KNOWS}}"}})})
    unknown = PodMaking(group_templates=({"apiVersion": "x.example/v1", "kind": "Thing", "metadata": {"name": "t"}},))
    async with one_life(kubernetes, home) as runtime, watched(runtime) as seen:
        with pytest.raises(GroupRefusedError, match="no-such-class"):
            await create(runtime, task(), making=bad)
        with pytest.raises(GroupRefusedError, match="NOBODY_KNOWS"):
            await create(runtime, task(), making=worse)
        with pytest.raises(GroupRefusedError, match=r"no kind Thing in x\.example/v1"):
            await create(runtime, task(), making=unknown)
        with pytest.raises(GroupRefusedError, match="Invalid value"):
            await create(runtime, task(environment={"a=b": "x"}))
        await create(runtime, task("b"))
        await seen.until(is_phase(PodPhase.RUNNING), "b")


async def test_a_quota_that_is_full_refuses_in_its_words(kubernetes: KubernetesCluster, home: str) -> None:
    async with kubernetes.api() as api, one_life(kubernetes, home) as runtime:
        quota = f"/api/v1/namespaces/{home}/resourcequotas"
        await api.create(quota, {"metadata": {"name": "none"}, "spec": {"hard": {"count/pods": "0"}}})
        await api.until(f"{quota}/none", lambda each: each["status"].get("hard"))
        with pytest.raises(GroupRefusedError, match="exceeded quota"):
            await create(runtime, task())


async def test_a_pod_deleted_by_hand_lingers_until_its_end_was_seen(kubernetes: KubernetesCluster, home: str) -> None:
    """With a node that says how it ended, and with one that never does."""
    path = f"/api/v1/namespaces/{home}/pods"
    async with (
        one_life(kubernetes, home, sweep_timing=HASTY) as runtime,
        kubernetes.api() as api,
        watched(runtime) as seen,
    ):
        await create(runtime, task(), task("b"), making=STAYS)
        for name in ("a", "b"):
            await seen.until(is_phase(PodPhase.INITIALIZING), name)
            await set_status(api, home, pod_name(UUID, name), phase="Running")
            await api.delete(f"{path}/{pod_name(UUID, name)}", gracePeriodSeconds=1)
        await set_status(api, home, POD, phase="Failed", containerStatuses=[ended("a", 143)])
        end = await seen.until(is_phase(PodPhase.FAILED))
        assert judge(end).exit_code == 143
        assert "deleted by somebody else" in end.message
        silent = await seen.until(is_phase(PodPhase.GONE), "b")
        assert "not said in time" in silent.message
        assert len(await names_in(api, home, "pods")) == 2
        await delete(runtime, "a", "b")
        await eventually(lambda: is_empty(api, home))


async def test_a_pod_deleted_before_it_had_a_node_is_gone_at_once(kubernetes: KubernetesCluster, home: str) -> None:
    async with one_life(kubernetes, home) as runtime, kubernetes.api() as api, watched(runtime) as seen:
        await create(runtime, task(), node="no-such-node")
        await seen.until(is_phase(PodPhase.PENDING))
        await eventually(lambda: any(event.reason == "FailedScheduling" for event in seen.events()))
        await api.delete(f"/api/v1/namespaces/{home}/pods/{POD}")
        gone = await seen.until(is_phase(PodPhase.GONE))
        assert "before it had a node" in gone.message
        assert judge(gone).exit_code == 3001


async def test_a_finalizer_is_never_stuck(kubernetes: KubernetesCluster, home: str) -> None:
    """Nobody ever tells the agent to remove the pod that somebody else deleted."""
    hasty = msgspec.structs.replace(HASTY, stuck_s=0.5)
    async with (
        one_life(kubernetes, home, sweep_timing=hasty) as runtime,
        kubernetes.api() as api,
        watched(runtime) as seen,
    ):
        await create(runtime, task())
        await seen.until(is_phase(PodPhase.RUNNING))
        await api.delete(f"/api/v1/namespaces/{home}/pods/{POD}", gracePeriodSeconds=1)
        await api.gone(f"/api/v1/namespaces/{home}/pods/{POD}")
        await eventually(lambda: seen.facts()[-1].phase is PodPhase.GONE)


async def test_events_about_our_pods_are_lines(kubernetes: KubernetesCluster, home: str) -> None:
    async with one_life(kubernetes, home) as runtime, kubernetes.api() as api, watched(runtime) as seen:
        await create(runtime, task())
        await eventually(lambda: any(event.reason == "Scheduled" for event in seen.events()))
        pod = await api.get(f"/api/v1/namespaces/{home}/pods/{POD}")
        about = {"kind": "Pod", "namespace": home, "name": POD, "uid": pod["metadata"]["uid"]}
        event = {"metadata": {"name": "e"}, "involvedObject": about, "reason": "Pulling", "message": "image any"}
        await api.create(f"/api/v1/namespaces/{home}/events", event)
        await api.create(
            f"/api/v1/namespaces/{home}/events",
            {**event, "metadata": {"name": "f"}, "involvedObject": {**about, "uid": "another"}},
        )
        await eventually(lambda: any(event.reason == "Pulling" for event in seen.events()))
        assert [event.message for event in seen.events() if event.reason == "Pulling"] == ["image any"]


async def test_a_restart_is_told_to_the_attempts_control_container(kubernetes: KubernetesCluster, home: str) -> None:
    line = Line()
    command = RestartTasks("wf-1", UUID, "g", {"a": 0, "b": 0}, restarts={"a": 2}, tokens={"a": "proof"})
    async with one_life(kubernetes, home, line=line) as runtime, watched(runtime) as seen:
        await create(runtime, task())
        await seen.until(is_phase(PodPhase.RUNNING))
        await runtime.restart_tasks(command)
        await runtime.restart_tasks(msgspec.structs.replace(command, retry_ids={"a": 7}))
    ((workflow, name, told),) = line.told
    assert (workflow, name, told.retry_id, told.restarts, told.token) == ("wf-1", "a", 0, 2, "proof")


async def test_missing_rights_are_named_each_and_given_ones_suffice(kubernetes: KubernetesCluster, home: str) -> None:
    """The rights that the README lists are enough for all that the agent does."""
    token = await kubernetes.service_account_token(home, "agent")
    kubeconfig = kubernetes.kubeconfig_for(f"agent-{home}", token)
    with pytest.raises(Rejected) as refused:
        async with one_life(kubernetes, home, kubeconfig=kubeconfig):
            raise AssertionError("it must not run")
    for words in (
        f"`create pods` in namespace {home}",
        f"`patch configmaps` in namespace {home}",
        "`list nodes` in the whole cluster",
        "`get namespaces kube-system`",
    ):
        assert words in refused.value.message
    assert refused.value.message.count("`") == 2 * len(needed(home))
    await give_rights(kubernetes, home)
    async with (
        one_life(kubernetes, home, kubeconfig=kubeconfig, sweep_timing=HASTY) as runtime,
        watched(runtime) as seen,
        kubernetes.api() as api,
    ):
        assert (await runtime.identity()).cluster_uid == kubernetes.uid
        await create(runtime, task(), task("b"))
        await seen.until(is_phase(PodPhase.RUNNING))
        await eventually(lambda: any(event.reason == "Scheduled" for event in seen.events()))
        await delete(runtime, "a", "b")
        await eventually(lambda: is_empty(api, home))


async def give_rights(cluster: KubernetesCluster, namespace: str) -> None:
    group = "/apis/rbac.authorization.k8s.io/v1"
    subjects = [{"kind": "ServiceAccount", "name": "agent", "namespace": namespace}]

    def rules(within: str) -> list[dict[str, Any]]:
        return [
            {
                "apiGroups": [right.group],
                "resources": [right.resource],
                "verbs": [right.verb],
                **({"resourceNames": [right.name]} if right.name else {}),
            }
            for right in needed(namespace)
            if right.namespace == within or (right.name and not within)
        ]

    async with cluster.api() as api:
        wide = {"metadata": {"name": f"agent-{namespace}"}, "rules": rules("")}
        await api.create(f"{group}/clusterroles", wide)
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"agent-{namespace}"}
        binding = {"metadata": {"name": f"agent-{namespace}"}, "subjects": subjects, "roleRef": role}
        await api.create(f"{group}/clusterrolebindings", binding)
        await api.create(
            f"{group}/namespaces/{namespace}/roles", {"metadata": {"name": "agent"}, "rules": rules(namespace)}
        )
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "agent"}
        binding = {"metadata": {"name": "agent"}, "subjects": subjects, "roleRef": role}
        await api.create(f"{group}/namespaces/{namespace}/rolebindings", binding)


async def test_a_kind_of_a_group_template_that_the_agent_may_not_make_is_refused_in_words(
    kubernetes: KubernetesCluster, home: str
) -> None:
    token = await kubernetes.service_account_token(home, "agent")
    kubeconfig = kubernetes.kubeconfig_for(f"agent-{home}", token)
    await give_rights(kubernetes, home)
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}}
    async with one_life(kubernetes, home, kubeconfig=kubeconfig) as runtime:
        with pytest.raises(GroupRefusedError, match=f"may not `create jobs` of API group batch in namespace {home}"):
            await create(runtime, task(), making=PodMaking(group_templates=(job,)))


async def test_what_nobody_owns_is_swept_and_what_is_not_ours_stays(kubernetes: KubernetesCluster, home: str) -> None:
    group = group_uuid(UUID, "g")
    ours = {"osmo.backend": BACKEND, "osmo.group_uuid": group, "osmo.workflow_uuid": UUID}
    attempt = {**ours, "osmo.task_uuid": task_uuid(UUID, "a"), "osmo.retry_id": "0"}
    async with kubernetes.api() as api:
        at = f"/api/v1/namespaces/{home}"
        await api.create(f"{at}/secrets", {"metadata": {"name": "lost-attempt", "labels": attempt}})
        await api.create(f"{at}/secrets", {"metadata": {"name": "lost-group", "labels": ours}})
        await api.create(
            f"{at}/secrets", {"metadata": {"name": "other-backend", "labels": {**ours, "osmo.backend": "x"}}}
        )
        await api.create(f"{at}/secrets", {"metadata": {"name": "not-ours"}})
        port = {"spec": {"ports": [{"port": 1}]}}
        await api.create(f"{at}/services", {"metadata": {"name": f"osmo-{group}", "labels": ours}, **port})
        async with one_life(kubernetes, home, sweep_timing=HASTY):
            await eventually(lambda: are_left(api, home, ["not-ours", "other-backend"]))
            assert await names_in(api, home, "services") == []


async def are_left(api: Api, namespace: str, secrets: list[str]) -> bool:
    return await names_in(api, namespace, "secrets") == secrets and not await names_in(api, namespace, "services")


async def test_a_removal_that_was_cut_off_is_finished_by_the_next_life(
    kubernetes: KubernetesCluster, home: str, tmp_path: Path
) -> None:
    """The link breaks between remembering that the attempt is over and removing its pod."""
    async with link_to(kubernetes, tmp_path) as (link, kubeconfig):
        async with one_life(kubernetes, home, kubeconfig=kubeconfig) as runtime, watched(runtime) as seen:
            await create(runtime, task())
            await seen.until(is_phase(PodPhase.RUNNING))
            await runtime._ended.remember([f"{POD}-0"])
            await link.cut()
            with pytest.raises(Transient):
                await delete(runtime)
        await link.heal()
        async with one_life(kubernetes, home, kubeconfig=kubeconfig, sweep_timing=HASTY), kubernetes.api() as api:
            await eventually(lambda: is_empty(api, home))


@pytest.mark.timeout(240)
async def test_agents_that_are_killed_at_any_moment_lose_and_double_nothing(
    kubernetes: KubernetesCluster, home: str
) -> None:
    """Lives end in the middle of making and of removing groups; what is asked for comes again, as commands do."""
    rng = random.Random(11)
    uuids = [f"{number:032x}" for number in range(1, 6)]
    async with kubernetes.api() as api:
        for _ in range(10):
            await _cut_short(kubernetes, home, rng, uuids)
        async with one_life(kubernetes, home) as runtime:
            for uuid in uuids:
                await runtime.apply_group(creation(task(), task("b"), uuid=uuid))
            pods = await runtime.list_pods()
        assert sorted((pod.workflow_uuid, pod.task) for pod in pods) == [
            (uuid, name) for uuid in uuids for name in "ab"
        ]
        assert len(await names_in(api, home, "pods")) == len(await names_in(api, home, "secrets")) == 10
        assert len(await names_in(api, home, "services")) == 5
        for _ in range(5):
            await _cut_short(kubernetes, home, rng, uuids, removing=True)
        async with one_life(kubernetes, home, sweep_timing=HASTY) as runtime:
            await asyncio.gather(*(runtime.delete_group(deletion(uuid)) for uuid in uuids))
            await eventually(lambda: is_empty(api, home))
            await runtime.apply_group(creation(task(), task("b"), uuid=uuids[0]))
            assert await is_empty(api, home)


def deletion(uuid: str) -> DeleteGroup:
    return DeleteGroup("wf-1", uuid, "g", {"a": 0, "b": 0}, force=True)


async def _cut_short(
    cluster: KubernetesCluster, namespace: str, rng: random.Random, uuids: list[str], *, removing: bool = False
) -> None:
    async def live() -> None:
        async with one_life(cluster, namespace) as runtime:
            for uuid in uuids:
                if removing:
                    await runtime.delete_group(deletion(uuid))
                else:
                    await runtime.apply_group(creation(task(), task("b"), uuid=uuid))

    life = asyncio.create_task(live())
    await asyncio.wait([life], timeout=0.15 + 0.4 * rng.random())
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)


async def test_while_the_cluster_is_cut_off_pods_run_on_and_histories_agree_afterwards(
    kubernetes: KubernetesCluster, home: str, tmp_path: Path
) -> None:
    async with (
        link_to(kubernetes, tmp_path) as (link, kubeconfig),
        one_life(kubernetes, home, kubeconfig=kubeconfig) as runtime,
        kubernetes.api() as api,
        watched(runtime) as seen,
    ):
        await create(runtime, task(), task("b"), making=STAYS)
        for name in ("a", "b"):
            await seen.until(is_phase(PodPhase.INITIALIZING), name)
        await link.cut()
        with pytest.raises(Transient):
            await create(runtime, task("c"))
        await set_status(api, home, POD, phase="Succeeded", containerStatuses=[ended("a", 0, "Completed")])
        assert {pod.phase for pod in await runtime.list_pods()} == {PodPhase.INITIALIZING}
        await link.heal()
        await seen.until(is_phase(PodPhase.SUCCEEDED))
        assert [fact.phase for fact in seen.facts("b")][-1] is PodPhase.INITIALIZING


class Later:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def now(self) -> datetime:
        return self.time


async def test_what_is_over_is_remembered_across_lives_and_forgotten_by_one_that_has_been_up_for_a_while(
    kubernetes: KubernetesCluster, home: str
) -> None:
    clock = Later()
    async with connect(str(kubernetes.kubeconfig), rng=random.Random(1), environ={}) as api:

        async def life() -> EndedAttempts:
            ended = EndedAttempts(api, "East_1", home, clock, per_object=3)
            await ended.load()
            return ended

        first = await life()
        await asyncio.gather(*(first.remember([f"p-{number}"]) for number in range(5)))
        await first.remember(["p-5", "p-0"])
        second = await life()
        await second.remember(["p-6"])
        assert all(f"p-{number}" in second for number in range(7))
        async with kubernetes.api() as admin:
            pages = await names_in(admin, home, "configmaps")
            assert 3 <= len(pages) <= 4
            clock.time += timedelta(hours=7)
            third = await life()
            await third.forget()
            assert await names_in(admin, home, "configmaps") == pages
            await third.remember(["p-7"])
            clock.time += timedelta(hours=2)
            await third.forget()
            assert "p-3" not in third
            assert "p-7" in third
            assert "p-7" in await life()
            assert len(await names_in(admin, home, "configmaps")) == 1
