"""A real kubelet runs real containers: what tests of pods stand on."""

import asyncio
from typing import Any

import pytest
from tests.cluster import images
from tests.cluster.kubernetes import KubernetesCluster
from tests.cluster.node import RealNode

pytestmark = [pytest.mark.containers, pytest.mark.xdist_group("cluster"), pytest.mark.timeout(300)]


def shell(script: str, name: str = "user", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": images.BUSYBOX_IMAGE, "command": ["sh", "-c", script], **more}


class Pods:
    """The pods of one namespace on the real node."""

    def __init__(self, cluster: KubernetesCluster, namespace: str, node: str) -> None:
        self.cluster = cluster
        self.node = node
        self.path = f"/api/v1/namespaces/{namespace}/pods"

    async def create(self, *containers: dict[str, Any], name: str = "one", **spec: Any) -> None:
        spec = {"nodeName": self.node, "restartPolicy": "Never", "terminationGracePeriodSeconds": 1, **spec}
        async with self.cluster.api() as api:
            await api.create(self.path, {"metadata": {"name": name}, "spec": {"containers": containers, **spec}})

    async def until(self, condition: Any, name: str = "one") -> Any:
        async with self.cluster.api() as api:
            return await api.until(f"{self.path}/{name}", condition, 60)

    async def ended(self, name: str = "one") -> Any:
        return await self.until(lambda pod: pod["status"].get("phase") in ("Succeeded", "Failed"), name)

    async def log(self, container: str = "user", name: str = "one") -> str:
        async with self.cluster.api() as api:
            return await api.text(f"{self.path}/{name}/log?container={container}")


@pytest.fixture
def pods(kubernetes: KubernetesCluster, namespace: str, node: RealNode) -> Pods:
    return Pods(kubernetes, namespace, node.name)


def terminated(pod: Any, container: str = "user") -> dict[str, Any]:
    statuses = [*pod["status"]["containerStatuses"], *pod["status"].get("initContainerStatuses", ())]
    found: dict[str, Any] = next(each["state"]["terminated"] for each in statuses if each["name"] == container)
    return found


async def test_a_pod_runs_its_init_container_then_its_containers_and_succeeds(pods: Pods) -> None:
    shared: Any = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    await pods.create(
        shell("cat /shared/word; until [ -e /shared/done ]; do sleep 0.05; done", **shared),
        shell("touch /shared/done", "side", **shared),
        initContainers=[shell("echo -n hello > /shared/word", "init", **shared)],
        volumes=[{"name": "shared", "emptyDir": {}}],
    )
    ended = await pods.ended()
    assert ended["status"]["phase"] == "Succeeded"
    assert terminated(ended, "init")["reason"] == terminated(ended)["reason"] == "Completed"
    assert await pods.log() == "hello"


async def test_a_failed_container_tells_its_exit_code(pods: Pods) -> None:
    await pods.create(shell("exit 42"))
    ended = await pods.ended()
    assert ended["status"]["phase"] == "Failed"
    assert terminated(ended)["exitCode"] == 42
    assert terminated(ended)["reason"] == "Error"


async def test_a_secret_is_a_file_in_the_container(pods: Pods, kubernetes: KubernetesCluster) -> None:
    async with kubernetes.api() as api:
        await api.create(
            pods.path.replace("/pods", "/secrets"), {"metadata": {"name": "s"}, "stringData": {"key": "quiet"}}
        )
    await pods.create(
        shell("cat /secret/key", volumeMounts=[{"name": "s", "mountPath": "/secret"}]),
        volumes=[{"name": "s", "secret": {"secretName": "s"}}],
    )
    assert (await pods.ended())["status"]["phase"] == "Succeeded"
    assert await pods.log() == "quiet"


async def test_an_image_that_is_not_there_is_told(pods: Pods) -> None:
    await pods.create({"name": "user", "image": images.MISSING_IMAGE})

    def waits(pod: Any) -> bool:
        statuses = pod["status"].get("containerStatuses", ())
        return any(
            each["state"].get("waiting", {}).get("reason") in ("ErrImagePull", "ImagePullBackOff") for each in statuses
        )

    await pods.until(waits)


async def test_a_container_beyond_its_memory_is_killed_for_it(pods: Pods) -> None:
    await pods.create(shell("exec tail /dev/zero", resources={"limits": {"memory": "32Mi"}}))
    ended = await pods.ended()
    assert terminated(ended)["reason"] == "OOMKilled"
    assert terminated(ended)["exitCode"] == 137


async def test_pods_of_a_headless_service_find_each_other_and_this_machine(
    pods: Pods, kubernetes: KubernetesCluster, node: RealNode, namespace: str
) -> None:
    async with kubernetes.api() as api:
        await api.create(
            pods.path.replace("/pods", "/services"),
            {
                "metadata": {"name": "group"},
                "spec": {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": {"group": "g"}},
            },
        )
        for name, script in (
            ("lead", "echo -n found | nc -l -p 7000"),
            ("other", f"until nc lead.group.{namespace}.svc 7000 | grep found; do sleep 0.1; done"),
        ):
            spec = {
                "hostname": name, "subdomain": "group", "nodeName": pods.node, "restartPolicy": "Never",
                "containers": [shell(script)],
            }  # fmt: skip
            await api.create(pods.path, {"metadata": {"name": name, "labels": {"group": "g"}}, "spec": spec})
    assert (await pods.ended("other"))["status"]["phase"] == "Succeeded"
    assert (await pods.ended("lead"))["status"]["phase"] == "Succeeded"


async def test_a_pod_reaches_a_server_on_this_machine(pods: Pods, node: RealNode) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\n")
        writer.close()

    server = await asyncio.start_server(greet, node.host_address, 0)
    local = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server, local:
        port, local_port = server.sockets[0].getsockname()[1], local.sockets[0].getsockname()[1]
        await pods.create(shell(f"nc {node.host_address} {port}"), name="bridged")
        await pods.create(shell(f"nc 127.0.0.1 {local_port}"), name="on-the-host", hostNetwork=True)
        for name in ("bridged", "on-the-host"):
            assert (await pods.ended(name))["status"]["phase"] == "Succeeded"
            assert await pods.log(name=name) == "hello\n"


async def test_the_scheduler_gives_a_pod_the_gpus_that_a_real_node_says_it_has(pods: Pods) -> None:
    await pods.create(
        shell("true", resources={"limits": {"nvidia.com/gpu": "8"}}),
        nodeName=None,
        nodeSelector={"kubernetes.io/hostname": pods.node},
    )
    assert (await pods.ended())["status"]["phase"] == "Succeeded"


async def test_a_command_runs_in_a_container_through_the_api_server(
    pods: Pods, kubernetes: KubernetesCluster, namespace: str
) -> None:
    await pods.create(shell("sleep 1000"))
    await pods.until(lambda pod: pod["status"].get("phase") == "Running")
    assert await kubernetes.kubectl("exec", "-n", namespace, "one", "--", "hostname") == "one\n"


async def test_a_deleted_pod_is_gone_and_so_are_its_processes(pods: Pods, kubernetes: KubernetesCluster) -> None:
    await pods.create(shell("sleep 1000"))
    await pods.until(lambda pod: pod["status"].get("phase") == "Running")
    async with kubernetes.api() as api:
        await api.delete(f"{pods.path}/one")
        await api.gone(f"{pods.path}/one")
