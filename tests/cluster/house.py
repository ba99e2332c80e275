"""A whole `osmo up` with agents of real Kubernetes clusters beside it: what people do with it, and what can be broken in it.

`osmo up` listens on this machine's loopback alone. Pods reach log-router through a proxy on their node's bridge, agents reach NATS through one that can be
cut; so nothing of the control plane is made for tests.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.api import Api
from tests.cluster.kubernetes import KubernetesCluster
from tests.flows.person import ALIVE, Person, person
from tests.installation import Installation, installation
from tests.tcp_proxy import TcpProxy, tcp_proxy

from osmo_api.http import TaskEntry, WorkflowAnswer

ONLINE_WITHIN_S = 60.0
STOPPED_WITHIN_S = 20.0


@dataclass
class Worker:
    """One registered cluster: its agent is a process of this machine, over a link of its own."""

    name: str
    cluster: KubernetesCluster
    namespace: str
    environ: Mapping[str, str]
    link: TcpProxy
    directory: Path
    starts: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        self.starts += 1
        with (self.directory / f"{self.name}-{self.starts}.log").open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "osmo_agent"],
                env={**clean_environ(), **self.environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def kill(self) -> None:
        """As a crash does it."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    async def nothing_left(self, *, within_s: float = 60.0) -> None:
        """No pod, secret or service of ours stays behind."""
        left: list[str] = []
        try:
            async with asyncio.timeout(within_s), self.cluster.api() as api:
                while True:
                    left = [each for kind in ("pods", "secrets", "services") for each in await self._ours(api, kind)]
                    if not left:
                        return
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"after {within_s} s these are left: {left}\n{self.said()[-4000:]}") from None

    async def _ours(self, api: Api, kind: str) -> list[str]:
        found = await api.get(f"/api/v1/namespaces/{self.namespace}/{kind}?labelSelector=osmo.workflow_uuid")
        return [f"{kind}/{each['metadata']['name']}" for each in found["items"]]

    def said(self) -> str:
        logs = sorted(self.directory.glob(f"{self.name}-*.log"))
        return "\n".join(log.read_text(errors="replace") for log in logs)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(STOPPED_WITHIN_S)
            self.process = None


@dataclass
class House:
    up: Installation
    ada: Person
    stack: AsyncExitStack
    workers: dict[str, Worker] = field(default_factory=dict)

    async def add(
        self,
        name: str,
        cluster: KubernetesCluster,
        *,
        host: str = "127.0.0.1",
        template: Mapping[str, Any] | None = None,
        pool: Mapping[str, Any] | None = None,
        **settings: str,
    ) -> Worker:
        """Register the cluster, start its agent, and make a pool of the same name on it. `host` is where its pods find this machine."""
        router = await self.stack.enter_async_context(tcp_proxy(self.ports()["log_router"], host=host))
        link = await self.stack.enter_async_context(tcp_proxy(self.ports()["nats"]))
        directory = self.up.directory / f"agent-{name}"
        directory.mkdir()
        namespace = await cluster.create_namespace()
        token = await self.register(name, directory)
        environ = {
            "OSMO_BACKEND": name,
            "OSMO_RUNTIME": "kubernetes",
            "OSMO_KUBECONFIG": str(cluster.kubeconfig),
            "OSMO_NAMESPACE": namespace,
            "OSMO_STATE_DIR": str(directory),
            "OSMO_NATS_URL": f"nats://127.0.0.1:{link.port}",
            "OSMO_BACKEND_TOKEN_FILE": str(token),
            "OSMO_LOG_ROUTER_URL": f"http://{host}:{router.port}",
            "OSMO_IMAGE_PULL_POLICY": "Never",
            "OSMO_LOG_LEVEL": "INFO",
            **settings,
        }
        worker = self.workers[name] = Worker(name, cluster, namespace, environ, link, directory)
        self.stack.callback(worker.kill)
        worker.start()
        await self.pool(name, name, template or {}, **(pool or {}))
        await self.online(name)
        return worker

    async def register(self, name: str, directory: Path) -> Path:
        """The file with the agent's token, as `osmo backend register` gives it."""
        registered = await self.say("POST", f"/api/backend/{name}", {})
        path = directory / "token"
        path.write_text(registered["token"], encoding="ascii")
        return path

    async def pool(self, name: str, backend: str, template: Mapping[str, Any], **more: Any) -> None:
        """A pool with this pod template."""
        pool: dict[str, Any] = {"backend": backend, "default_platform": "any", "platforms": {"any": {}}, **more}
        if template:
            await self.say("PUT", f"/api/configs/pod_template/{name}", {"configs": dict(template)})
            pool["common_pod_template"] = [name]
        await self.say("PUT", f"/api/configs/pool/{name}", {"configs": pool})

    async def store_in_s3(self, data_url: str, keys: Mapping[str, str]) -> None:
        """What tasks hand to each other goes there from now on."""
        secret = self.up.directory / "storage-keys.json"
        secret.write_text(json.dumps(dict(keys)), encoding="ascii")
        credential = {"endpoint": "/".join(data_url.split("/")[:3]), "secret_file": str(secret)}
        data = {"data_url": data_url, "workflow_data": {"credential": credential}}
        await self.say("PATCH", "/api/configs/workflow", {"configs_dict": data})

    async def data_credential(self, name: str, endpoint: str, keys: Mapping[str, str]) -> None:
        await self.say("POST", f"/api/credentials/{name}", {"data_credential": {"endpoint": endpoint, **keys}})

    async def generic_credential(self, name: str, payload: Mapping[str, str]) -> None:
        await self.say("POST", f"/api/credentials/{name}", {"generic_credential": {"credential": dict(payload)}})

    async def say(self, method: str, path: str, body: Any) -> Any:
        """One request that must succeed; the answer's JSON."""
        async with self.ada.http.request(method, path, json=body) as answer:
            text = await answer.text()
            assert answer.status == 200, f"{method} {path}: {answer.status} {text}"
            return json.loads(text) if text else None

    async def online(self, name: str, *, within_s: float = ONLINE_WITHIN_S) -> None:
        """Returns once the pool has nodes of its backend."""
        async with asyncio.timeout(within_s):
            while not await self._has_nodes(name):
                process = self.workers[name].process
                assert process is None or process.poll() is None, self.workers[name].said()
                await asyncio.sleep(0.1)

    async def _has_nodes(self, pool: str) -> bool:
        async with self.ada.http.get("/api/resources", params={"pools": pool}) as answer:
            found = await answer.json()
        return bool(answer.status == 200 and found.get("resources"))

    def ports(self) -> dict[str, int]:
        found: dict[str, int] = json.loads((self.up.data_dir / "ports.json").read_text(encoding="ascii"))
        return found

    async def until(self, name: str, condition: Callable[[WorkflowAnswer], bool], *, within_s: float) -> WorkflowAnswer:
        """The workflow, once the condition holds of it; an assertion with what the agents said where it does not come to it."""
        last: WorkflowAnswer | None = None
        try:
            async with asyncio.timeout(within_s):
                while True:
                    last = await self.ada.api.workflow(name, verbose=True)
                    if condition(last):
                        return last
                    await asyncio.sleep(0.05)
        except TimeoutError:
            said = "\n".join(worker.said()[-4000:] for worker in self.workers.values())
            raise AssertionError(f"after {within_s} s {name} is still {last}\n{said}") from None

    async def over(self, name: str, *, within_s: float = 60.0) -> WorkflowAnswer:
        return await self.until(name, lambda workflow: workflow.status not in ALIVE, within_s=within_s)

    async def cancel(self, name: str) -> None:
        await self.say("POST", f"/api/workflow/{name}/cancel", None)

    async def lines(self, workflow: str, **params: str) -> list[str]:
        async with self.ada.http.get(f"/api/workflow/{workflow}/logs", params=params) as answer:
            assert answer.status == 200
            return (await answer.text()).splitlines()

    async def until_event(self, workflow: str, words: str, *, within_s: float) -> str:
        """The line of the workflow's events that holds these words. The answer goes on as long as the workflow does."""
        return await self._until_said(workflow, "events", words, within_s)

    async def until_line(self, workflow: str, words: str, *, within_s: float) -> str:
        """The line of the workflow's tasks that holds these words, as soon as it is there."""
        return await self._until_said(workflow, "logs", words, within_s)

    async def _until_said(self, workflow: str, what: str, words: str, within_s: float) -> str:
        async with asyncio.timeout(within_s), self.ada.http.get(f"/api/workflow/{workflow}/{what}") as answer:
            assert answer.status == 200
            async for line in answer.content:
                if words in line.decode():
                    return line.decode()
        raise AssertionError(f"the {what} of {workflow} ended without {words!r}")


@asynccontextmanager
async def house() -> AsyncIterator[House]:
    """A fresh installation without clusters."""
    with installation() as up:
        async with AsyncExitStack() as stack:
            ada = await stack.enter_async_context(person(up.url, "ada"))
            yield House(up, ada, stack)


def latest(workflow: WorkflowAnswer) -> dict[str, TaskEntry]:
    """Task to its last attempt."""
    entries = sorted((task for group in workflow.groups for task in group.tasks), key=lambda entry: entry.retry_id)
    return {entry.name: entry for entry in entries}


def clean_environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OSMO_")}
