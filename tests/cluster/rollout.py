"""An overlay of k8s/ on a real node: its images, its volumes, its pods, and why one of them is not ready.

The manifests are applied as they are; images are there under the names that the manifests have. Volumes are folders of this machine, made beforehand: no
provisioner makes them. Names of Services are answered by the node's CoreDNS, their addresses by services.py. Nothing enforces network policies.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from images.cached import cached_runtime
from images.oci import write_runtime_image, write_service_image
from tests.cluster import stand_ins
from tests.cluster.api import Json
from tests.cluster.images import Image
from tests.cluster.kubernetes import KubernetesCluster
from tests.cluster.manifests import ROOT
from tests.cluster.node import RealNode
from tests.cluster.services import cluster_ips

READY_WITHIN_S = 120.0
GONE_WITHIN_S = 120.0
POLL_S = 0.2
RIGHTS = "clusterroles,clusterrolebindings"
"""What is made outside of the namespace."""
STAND_INS = {"nats": stand_ins.nats, "postgres": stand_ins.postgres, "alpine": stand_ins.alpine}


class Rollout:
    """One namespace with what overlays make in it."""

    def __init__(self, cluster: KubernetesCluster, node: RealNode, namespace: str, directory: Path) -> None:
        self.cluster = cluster
        self.node = node
        self.namespace = namespace
        self.directory = directory
        self._volumes: list[str] = []

    async def kubectl(self, *arguments: str, stdin: bytes = b"") -> str:
        return await self.cluster.kubectl("--namespace", self.namespace, *arguments, stdin=stdin)

    async def add_images(self, names: set[str]) -> None:
        """Images as manifests name them, `osmo-service:0.1.0`."""
        for name in sorted(names):
            archive = self.directory / "image.tar"
            await asyncio.to_thread(_write, archive, name)
            await self.node.add_archive(archive)
            archive.unlink()

    async def add_volumes(self, *sizes: str) -> None:
        """Empty volumes of the node, one for each claim."""
        async with self.cluster.api() as api:
            for size in sizes:
                name = f"{self.namespace}-{len(self._volumes)}"
                folder = self.directory / name
                folder.mkdir()
                await api.create("/api/v1/persistentvolumes", _volume(name, size, folder, self.node.name))
                self._volumes.append(name)

    async def make_secrets(self) -> None:
        """As docs/installing.md says it."""
        environment = {**os.environ, "KUBECONFIG": str(self.cluster.kubeconfig)}
        environment["PATH"] = f"{self.cluster.programs}:{environment['PATH']}"
        await run([str(ROOT / "k8s" / "make-secrets.sh"), self.namespace], environment)

    async def create_secret(self, name: str, **values: str) -> None:
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}
        await self.kubectl("create", "--filename", "-", stdin=json.dumps(secret).encode())

    async def apply(self, folder: Path) -> None:
        await self.kubectl("apply", "--kustomize", str(folder))

    async def delete(self, folder: Path) -> None:
        await self.kubectl("delete", "--kustomize", str(folder), "--wait=false", "--ignore-not-found")

    async def until_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Every Deployment and StatefulSet has all its pods, and every pod says by its own probes that it is ready."""
        waiting: list[str] = ["everything"]
        try:
            async with asyncio.timeout(within_s):
                while waiting:
                    waiting = await self._not_ready()
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise AssertionError(f"after {within_s} s not ready: {waiting}\n{await self.seen()}") from None

    async def _not_ready(self) -> list[str]:
        found = []
        for kind in ("deployments", "statefulsets"):
            for each in await self._list(f"/apis/apps/v1/namespaces/{self.namespace}/{kind}"):
                status, wanted = each["status"], each["spec"]["replicas"]
                seen = status.get("observedGeneration") == each["metadata"]["generation"]
                counts = {status.get(count, 0) for count in ("replicas", "readyReplicas", "updatedReplicas")}
                if not seen or counts != {wanted}:
                    found.append(f"{kind}/{each['metadata']['name']}")
        return found

    async def started_again(self) -> list[str]:
        """Containers that ended and had to be started once more."""
        return [
            f"{pod['metadata']['name']}/{each['name']}"
            for pod in await self.pods()
            for each in (*pod["status"].get("initContainerStatuses", ()), *pod["status"]["containerStatuses"])
            if each["restartCount"]
        ]

    async def no_tasks_left(self, within_s: float = GONE_WITHIN_S) -> None:
        """The agent has let go of every pod of a workflow: nobody else would do it once the agent is gone."""
        left: list[Json] = []
        try:
            async with asyncio.timeout(within_s):
                while left := await self.pods("osmo.workflow_uuid"):
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise AssertionError(f"after {within_s} s these are left: {left}") from None

    async def pods(self, selector: str = "") -> list[Json]:
        return await self._list(f"/api/v1/namespaces/{self.namespace}/pods?labelSelector={selector}")

    async def kill(self, selector: str) -> None:
        """Delete these pods; returns when others are ready in their place."""
        before = {pod["metadata"]["uid"] for pod in await self.pods(selector)}
        assert before, f"no pod with {selector}"
        await self.kubectl("delete", "pods", "--selector", selector)
        await self.until_ready()
        assert before.isdisjoint({pod["metadata"]["uid"] for pod in await self.pods(selector)})

    async def events(self, reason: str) -> str:
        """Kubernetes' events with this reason, one a line."""
        return await self.kubectl("get", "events", "--output=name", f"--field-selector=reason={reason}")

    async def seen(self) -> str:
        """What there is to know about pods that are not well: conditions, states, events, the ends of their logs."""
        told = [await self._told(pod) for pod in await self.pods() if not _is_ready(pod)]
        events = await self.kubectl("get", "events", "--sort-by=.lastTimestamp")
        return "\n".join([*told, events[-6000:]])

    async def _told(self, pod: Json) -> str:
        name, status = pod["metadata"]["name"], pod["status"]
        states = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
        lines = [f"{name}: {json.dumps(status.get('conditions'))}"]
        for each in states:
            lines.append(f"{name}/{each['name']}: {json.dumps(each['state'])} {json.dumps(each['lastState'])}")
            lines.append(await self._log(name, each["name"]))
        return "\n".join(lines)

    async def _log(self, pod: str, container: str) -> str:
        try:
            return await self.kubectl("logs", pod, "--container", container, "--tail", "30")
        except RuntimeError as error:
            return str(error)

    async def rights_left(self) -> str:
        """What the agent's overlay made outside of its namespace."""
        return await self.cluster.kubectl("get", RIGHTS, "--output=name", "--selector=app.kubernetes.io/name=agent")

    async def gone(self, within_s: float = GONE_WITHIN_S) -> None:
        """The namespace with everything in it."""
        async with self.cluster.api() as api:
            try:
                await api.gone(f"/api/v1/namespaces/{self.namespace}", within_s)
            except TimeoutError:
                left = await api.get(f"/api/v1/namespaces/{self.namespace}")
                raise AssertionError(f"after {within_s} s there is {left}\n{await self.seen()}") from None

    async def close(self) -> None:
        """Also when the test failed in the middle."""
        await self.cluster.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--wait=false")
        async with self.cluster.api() as api:
            path = f"/api/v1/namespaces/{self.namespace}/pods"
            await api.call("DELETE", path, {"gracePeriodSeconds": 0})
            for pod in await self.pods("osmo.workflow_uuid"):
                await api.patch(f"{path}/{pod['metadata']['name']}", {"metadata": {"finalizers": None}})
        await self.gone()
        await self.cluster.kubectl("delete", RIGHTS, "--selector", "app.kubernetes.io/name=agent")
        for name in self._volumes:
            await self.cluster.kubectl("delete", "persistentvolume", name)

    async def _list(self, path: str) -> list[Json]:
        async with self.cluster.api() as api:
            return list((await api.get(path))["items"])


def overlay_over(name: str, directory: Path, **changes: Any) -> Path:
    """A folder to apply: k8s/overlays/<name> with these changes, as kustomize calls them."""
    directory.mkdir()
    over = os.path.relpath(ROOT / "k8s" / "overlays" / name, directory.resolve())
    (directory / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [over], **changes}))
    return directory


@asynccontextmanager
async def rollout(
    cluster: KubernetesCluster, node: RealNode, namespace: str, directory: Path
) -> AsyncIterator[Rollout]:
    """Nothing of it is there yet. The cluster's simulated nodes take no pods meanwhile."""
    made = Rollout(cluster, node, namespace, directory)
    async with cluster_ips(cluster, node), _alone(cluster, node):
        try:
            yield made
        finally:
            await made.close()


@asynccontextmanager
async def _alone(cluster: KubernetesCluster, node: RealNode) -> AsyncIterator[None]:
    async with cluster.api() as api:
        others = [each["metadata"]["name"] for each in (await api.get("/api/v1/nodes"))["items"]]
        others.remove(node.name)
        for name in others:
            await api.patch(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": True}})
        try:
            yield
        finally:
            for name in others:
                await api.patch(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": None}})


async def run(command: list[str], environment: dict[str, str], directory: Path | None = None) -> str:
    """What it prints. Raises with all its words if it fails."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        cwd=directory,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, f"{' '.join(command)}: {output.decode()}{errors.decode()}"
    return output.decode()


def _write(archive: Path, name: str) -> None:
    repository = name.partition(":")[0]
    if repository == "osmo-service":
        write_service_image(archive, name=name)
    elif repository == "osmo-runtime":
        write_runtime_image(archive, cached_runtime(), name=name)
    else:
        made: Image = STAND_INS[repository](f"docker.io/library/{name}")
        archive.write_bytes(made.archive())


def _volume(name: str, size: str, folder: Path, node: str) -> dict[str, Any]:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }


def _is_ready(pod: Json) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
