"""The cluster that other tests stand on does what a Kubernetes cluster does."""

import asyncio
from typing import Any

import aiohttp
import pytest
from tests.cluster import build, images
from tests.cluster.api import Refused
from tests.cluster.kubernetes import KubernetesCluster, running_kubernetes

pytestmark = pytest.mark.xdist_group("cluster")


def pod(name: str = "one", **spec: Any) -> dict[str, Any]:
    annotations = spec.pop("annotations", {})
    container = {"name": "user", "image": images.BUSYBOX_IMAGE}
    return {
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"containers": [container], "restartPolicy": "Never", **spec},
    }


def phase(*wanted: str) -> Any:
    return lambda pod: pod["status"].get("phase") in wanted


async def test_the_api_server_tells_its_version(kubernetes: KubernetesCluster) -> None:
    async with kubernetes.api() as api:
        assert (await api.get("/version"))["gitVersion"] == build.kubernetes_version()


async def test_a_pod_bound_to_a_simulated_node_runs(kubernetes: KubernetesCluster, namespace: str) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"
    async with kubernetes.api() as api:
        await api.create(pods, pod(nodeName="kwok-0"))
        running = await api.until(f"{pods}/one", phase("Running"))
    assert running["status"]["containerStatuses"][0]["state"].keys() == {"running"}
    assert running["status"]["podIP"]


async def test_a_pod_without_a_node_is_scheduled_by_its_gpus(kubernetes: KubernetesCluster, namespace: str) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"
    asked = pod()
    asked["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": "8"}}
    async with kubernetes.api() as api:
        await api.create(pods, asked)
        running = await api.until(f"{pods}/one", phase("Running"))
    assert running["spec"]["nodeName"].startswith("kwok-")


@pytest.mark.parametrize(("code", "ends"), [("0", "Succeeded"), ("3", "Failed")])
async def test_a_simulated_pod_ends_as_its_annotations_say(
    kubernetes: KubernetesCluster, namespace: str, code: str, ends: str
) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"
    annotations = {"test.osmo/runs-for": "10ms", "test.osmo/exit-code.user": code}
    async with kubernetes.api() as api:
        await api.create(pods, pod(nodeName="kwok-0", annotations=annotations))
        ended = await api.until(f"{pods}/one", phase("Succeeded", "Failed"))
    assert ended["status"]["phase"] == ends
    assert ended["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == int(code)


async def test_a_deleted_simulated_pod_is_gone(kubernetes: KubernetesCluster, namespace: str) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"
    async with kubernetes.api() as api:
        await api.create(pods, pod(nodeName="kwok-0"))
        await api.until(f"{pods}/one", phase("Running"))
        await api.delete(f"{pods}/one")
        await api.gone(f"{pods}/one")


async def test_a_service_account_may_do_nothing_until_it_is_allowed(
    kubernetes: KubernetesCluster, namespace: str
) -> None:
    token = await kubernetes.service_account_token(namespace, "agent")
    pods = f"/api/v1/namespaces/{namespace}/pods"
    allowed = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    async with kubernetes.api(token) as agent, kubernetes.api() as admin:
        with pytest.raises(Refused) as refused:
            await agent.get(pods)
        assert refused.value.status == 403
        await admin.create(
            f"{allowed}/roles",
            {"metadata": {"name": "agent"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]},
        )
        await admin.create(
            f"{allowed}/rolebindings",
            {
                "metadata": {"name": "agent"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "agent"},
                "subjects": [{"kind": "ServiceAccount", "name": "agent", "namespace": namespace}],
            },
        )
        async with asyncio.timeout(10):
            while not await _answers(agent, pods):
                await asyncio.sleep(0.05)


async def test_users_by_token_and_by_certificate_are_who_they_are(kubernetes: KubernetesCluster) -> None:
    assert "stranger" in await kubernetes.kubectl(
        "auth", "whoami", kubeconfig=kubernetes.kubeconfig_for("s", kubernetes.stranger_token)
    )
    said = await kubernetes.kubectl("auth", "whoami", kubeconfig=kubernetes.kubeconfig_of("ada", ["researchers"]))
    assert "ada" in said
    assert "researchers" in said


async def test_objects_outlive_an_outage_of_the_api_server_and_two_clusters_do_not_meet(
    kubernetes: KubernetesCluster,
) -> None:
    async with running_kubernetes() as other:
        assert other.uid != kubernetes.uid
        name = await other.create_namespace("kept")
        other.stop_apiserver()
        async with other.api() as api:
            with pytest.raises(aiohttp.ClientConnectionError):
                await api.get("/version")
        await other.start_apiserver()
        async with other.api() as api, kubernetes.api() as elsewhere:
            assert (await api.get(f"/api/v1/namespaces/{name}"))["metadata"]["name"] == name
            with pytest.raises(Refused):
                await elsewhere.get(f"/api/v1/namespaces/{name}")


async def _answers(api: Any, path: str) -> bool:
    try:
        await api.get(path)
    except Refused:
        return False
    return True
