"""k8s/ rolled out: the whole control plane and an agent as pods of a real kubelet, and people who work on it by the CLI.

What is not real: the images' makers (images/oci.py instead of an engine; nats and postgres are their servers from the lock's wheels, alpine is busybox), the
volumes (folders), cluster IPs (services.py instead of kube-proxy). Of the manifests, only the addresses in overlays/agent are changed, as its readers are told to.
"""

import asyncio
import json
import os
import re
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster.kubernetes import KubernetesCluster
from tests.cluster.manifests import NAMESPACE, ROOT
from tests.cluster.node import RealNode
from tests.cluster.rollout import Rollout, rollout, run

pytestmark = [
    pytest.mark.containers,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="session"),
]

OSMO = str(Path(sysconfig.get_path("scripts")) / "osmo")
OVERLAYS = ROOT / "k8s" / "overlays"
HELLO = ROOT / "examples" / "hello.yaml"
IMAGES = {"osmo-service:0.1.0", "osmo-runtime:0.1.0", "nats:2.15.1-alpine", "postgres:17.6", "alpine:3.20"}
BACKEND = "default"
FORWARDED_WITHIN_S = 60
COMPLETED_WITHIN_S = 120


class Ada:
    """Somebody at a terminal."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        own = {"OSMO_CONFIG_FILE_DIR": str(directory), "HOME": str(directory)}
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("OSMO_")} | own

    async def osmo(self, *words: str) -> str:
        return await run([OSMO, *words], self._environment, self.directory)

    async def login(self, url: str) -> None:
        await self.osmo("login", url, "--method", "dev", "--username", "ada")

    async def register(self) -> bytes:
        """The token that the agent comes in with, out of the file that `osmo backend register` writes."""
        await self.osmo("backend", "register", BACKEND)
        text = (self.directory / f"osmo-agent-{BACKEND}.yaml").read_text(encoding="utf-8")
        secret = next(one for one in yaml.safe_load_all(text) if one["kind"] == "Secret")
        token: str = secret["stringData"]["token"]
        return token.encode()

    async def hello(self, rolled: Rollout) -> None:
        """A workflow from its submission to its last line."""
        said = await self.osmo("workflow", "submit", str(HELLO))
        found = re.search(r"\bhello-\d+\b", said)
        assert found is not None, said
        seen: dict[str, Any] = {}
        try:
            async with asyncio.timeout(COMPLETED_WITHIN_S):
                while seen.get("status") != "COMPLETED":
                    seen = json.loads(await self.osmo("workflow", "query", found[0], "--format-type", "json"))
                    assert not seen["status"].startswith("FAILED"), seen
        except TimeoutError:
            raise AssertionError(f"not within {COMPLETED_WITHIN_S} s: {seen}\n{await rolled.seen()}") from None
        assert "[greet] Hello from Linux" in await self.osmo("workflow", "logs", found[0])


@asynccontextmanager
async def forwarded(rolled: Rollout) -> AsyncIterator[str]:
    """The gateway's URL, by `kubectl port-forward`."""
    process = await asyncio.create_subprocess_exec(
        rolled.cluster.programs / "kubectl", "--kubeconfig", rolled.cluster.kubeconfig,
        "--namespace", rolled.namespace, "port-forward", "service/gateway", ":8000",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(FORWARDED_WITHIN_S):
            line = (await process.stdout.readline()).decode()
        found = re.search(r"from (127\.0\.0\.1:\d+)", line)
        assert found is not None, line
        yield f"http://{found[1]}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def agent_overlay(directory: Path) -> Path:
    """overlays/agent with the addresses of the dev overlay's control plane, which is in the same namespace."""
    settings = {
        "OSMO_BACKEND": BACKEND,
        "OSMO_NATS_URL": "nats://nats:4222",
        "OSMO_LOG_ROUTER_URL": "http://log-router:8010",
        "OSMO_SERVICE_URL": "http://gateway:8000",
    }
    literals = [f"{name}={value}" for name, value in settings.items()]
    kustomization = {
        "resources": [os.path.relpath(OVERLAYS / "agent", directory.resolve())],
        "namespace": NAMESPACE,
        "configMapGenerator": [{"name": "agent", "behavior": "merge", "literals": literals}],
    }
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return directory


async def test_the_dev_overlay_and_its_agent_run_workflows_survive_their_pods_and_go_away(
    kubernetes: KubernetesCluster, node: RealNode, tmp_path: Path
) -> None:
    folders = {name: tmp_path / name for name in ("rollout", "ada", "agent")}
    for folder in folders.values():
        folder.mkdir()
    ada, agent = Ada(folders["ada"]), agent_overlay(folders["agent"])
    async with rollout(kubernetes, node, NAMESPACE, folders["rollout"]) as rolled:
        await rolled.add_images(IMAGES)
        await rolled.add_volumes("10Gi", "5Gi")
        await rolled.make_secrets()
        await rolled.apply(OVERLAYS / "dev")
        await rolled.until_ready()
        async with forwarded(rolled) as url:
            await ada.login(url)
            token = await ada.register()
            await rolled.kubectl(
                "create", "secret", "generic", "osmo-agent", "--from-file=token=/dev/stdin", stdin=token
            )
            await rolled.apply(agent)
            await rolled.until_ready()
            assert not await rolled.started_again()
            await ada.hello(rolled)
            await rolled.kill("scheduler")
            await rolled.kill("gateway")
        async with forwarded(rolled) as url:
            await ada.login(url)
            await ada.hello(rolled)
        await rolled.no_tasks_left()
        await rolled.delete(agent)
        await rolled.delete(OVERLAYS / "dev")
        await rolled.gone()
        assert not await left(kubernetes)


async def left(cluster: KubernetesCluster) -> str:
    """What the overlays made outside of their namespace."""
    return await cluster.kubectl(
        "get", "clusterroles,clusterrolebindings", "--output=name", "--selector=app.kubernetes.io/name=agent"
    )
