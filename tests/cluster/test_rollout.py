"""k8s/ rolled out: the whole control plane and an agent as pods of a real kubelet, and people who work on it by the CLI.

What is not real: the images' makers (images/oci.py instead of an engine; nats and postgres are their servers from the lock's wheels, alpine is busybox), the
volumes (folders), cluster IPs (services.py instead of kube-proxy). Of the manifests, only the addresses in overlays/agent are changed, as its readers are told to.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.cluster.kubernetes import KubernetesCluster
from tests.cluster.manifests import NAMESPACE, ROOT
from tests.cluster.node import RealNode
from tests.cluster.rollout import overlay_over, rollout
from tests.cluster.terminal import Ada, forwarded
from tests.object_storage import FIRST, ObjectServer
from tests.tcp_proxy import tcp_proxy

pytestmark = [
    pytest.mark.containers,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="session"),
]

DEV = ROOT / "k8s" / "overlays" / "dev"
IMAGES = {"osmo-service:0.1.0", "osmo-runtime:0.1.0", "nats:2.15.1-alpine", "postgres:17.6", "alpine:3.20"}
BACKEND = "default"
BUCKET = "osmo-data"
HELLO = "[greet] Hello from Linux"
SQUARES = "[report] The squares of 1 to 5 add up to 55."


def agent_overlay(directory: Path) -> Path:
    """overlays/agent with the addresses of the dev overlay's control plane, which is in the same namespace."""
    settings = {
        "OSMO_BACKEND": BACKEND,
        "OSMO_NATS_URL": "nats://nats:4222",
        "OSMO_LOG_ROUTER_URL": "http://log-router:8010",
        "OSMO_SERVICE_URL": "http://gateway:8000",
    }
    literals = [f"{name}={value}" for name, value in settings.items()]
    generator = {"name": "agent", "behavior": "merge", "literals": literals}
    return overlay_over("agent", directory, namespace=NAMESPACE, configMapGenerator=[generator])


@asynccontextmanager
async def object_storage(node: RealNode) -> AsyncIterator[str]:
    """A server with the bucket in it; its URL for pods."""
    server = ObjectServer()
    server.start()
    try:
        server.client().create_bucket(Bucket=BUCKET)
        async with tcp_proxy(server.port, host=node.host_address) as proxy:
            yield f"http://{proxy.host}:{proxy.port}"
    finally:
        server.kill()


async def test_the_dev_overlay_and_its_agent_run_workflows_survive_their_pods_and_go_away(
    kubernetes: KubernetesCluster, node: RealNode, tmp_path: Path
) -> None:
    ada, agent = Ada(tmp_path / "ada"), agent_overlay(tmp_path / "agent")
    async with rollout(kubernetes, node, NAMESPACE, tmp_path) as rolled, object_storage(node) as storage:
        await rolled.add_images(IMAGES)
        await rolled.add_volumes("10Gi", "5Gi")
        await rolled.make_secrets()
        await rolled.create_secret("osmo-storage", **FIRST)
        await rolled.apply(DEV)
        await rolled.until_ready()
        async with forwarded(rolled) as url:
            await ada.login(url)
            token = await ada.register(BACKEND)
            await rolled.create_secret("osmo-agent", token=token)
            await rolled.apply(agent)
            await rolled.until_ready()
            assert not await rolled.started_again()
            assert HELLO in await ada.example(rolled, "hello")
            await rolled.kill("app.kubernetes.io/name=scheduler")
            await rolled.kill("app.kubernetes.io/name=gateway")
        async with forwarded(rolled) as url:
            await ada.login(url)
            assert HELLO in await ada.example(rolled, "hello")
            await ada.keep_data(f"s3://{BUCKET}/tasks", storage)
            assert SQUARES in await ada.example(rolled, "pipeline")
        await rolled.no_tasks_left()
        await rolled.delete(agent)
        await rolled.delete(DEV)
        await rolled.gone()
        assert not await rolled.rights_left()
