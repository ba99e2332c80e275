"""A real Kubernetes control plane for tests: etcd, API server, controller manager and scheduler on loopback, each a process that dies with us.

RBAC is on. Nothing is durable: etcd does not sync, and the whole cluster lives in a temporary directory. Nodes are simulated (`add_kwok_nodes`) or real
(tests/cluster/node.py).
"""

import asyncio
import json
import secrets
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from tests.cluster import build, kwok
from tests.cluster.api import Api, Json, Refused
from tests.cluster.certificates import Authority, Pair, signing_key
from tests.cluster.parts import NotReady, Part, Ports

READY_WITHIN_S = 90.0
# The Service `kubernetes` gets the first address of the range: from pods, that is the API server (services.py).
SERVICES, API_SERVICE = "10.96.0.0/16", "10.96.0.1"
# What tests look at: objects go with their owners and namespaces, pods leave nodes that are gone or tainted, services, jobs and claims of volumes work.
CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "persistentvolume-binder-controller",
    "persistentvolume-protection-controller",
    "persistentvolumeclaim-protection-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "statefulset-controller",
    "taint-eviction-controller",
)


class KubernetesCluster:
    """One cluster. Its address, certificates and tokens stay the same when its API server is stopped and started."""

    def __init__(
        self,
        directory: Path,
        apiserver_flags: Sequence[str] = (),
        controller_manager_flags: Sequence[str] = (),
        address: str = "127.0.0.1",
    ) -> None:
        """`address` is where the API server listens; the flags come after ours and win."""
        self.directory = directory
        self.address = address
        self.admin_token = secrets.token_hex(16)
        self.stranger_token = secrets.token_hex(16)
        self.uid = ""
        self.ports = Ports()
        self.programs = build.programs()
        self.authority = Authority(directory / "pki")
        self.server = f"https://{address}:{self.ports.take()}"
        self._etcd_port = self.ports.take()
        self._apiserver_flags = tuple(apiserver_flags)
        self._controller_manager_flags = tuple(controller_manager_flags)
        self._signing_key = signing_key(directory / "pki")
        self._trust = ssl.create_default_context(cafile=str(self.ca))
        self.kubeconfig = self.kubeconfig_for("admin", self.admin_token)
        self.etcd = self._etcd()
        self.apiserver = self._apiserver()
        self.controller_manager = self._controller_manager()
        self.scheduler = self._scheduler()
        self.kwok: Part | None = None
        self._nodes = 0

    @property
    def ca(self) -> Path:
        return self.authority.certificate

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host and port of the API server."""
        return self.address, int(self.server.rpartition(":")[2])

    async def start(self) -> None:
        self.etcd.start()
        await self.start_apiserver()
        self.controller_manager.start()
        self.scheduler.start()
        async with self.api() as api:
            self.uid = (await api.get("/api/v1/namespaces/kube-system"))["metadata"]["uid"]
            await api.until("/api/v1/namespaces/default/serviceaccounts/default", bool, READY_WITHIN_S)

    def close(self) -> None:
        """Kill it all: there is nothing to keep."""
        for part in (self.kwok, self.scheduler, self.controller_manager, self.apiserver, self.etcd):
            if part is not None:
                part.kill()
        self.ports.release()

    def stop_apiserver(self) -> None:
        """An outage from now on: connections are cut, new ones are refused. etcd keeps every object."""
        self.apiserver.kill()

    async def start_apiserver(self) -> None:
        """Returns once the API server says that it is ready."""
        self.apiserver.start()
        until = time.monotonic() + READY_WITHIN_S
        async with self.api() as api:
            while not await self._says_ready(api):
                self.etcd.check()
                self.apiserver.check()
                if time.monotonic() > until:
                    raise NotReady(f"the API server is not ready: {self.apiserver.said()}")
                await asyncio.sleep(0.05)

    async def restart_apiserver(self) -> None:
        self.stop_apiserver()
        await self.start_apiserver()

    def api(self, token: str | None = None) -> Api:
        """To be entered: a connection as the administrator, or as whom the token says."""
        return Api(self.server, self._trust, token or self.admin_token)

    def kubeconfig_for(self, user: str, token: str) -> Path:
        """A kubeconfig file with this token."""
        return self._kubeconfig(user, {"token": token})

    def kubeconfig_of(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig file with a fresh client certificate for this user of these groups."""
        return self._kubeconfig(user, _files(self.authority.issue(user, groups)))

    async def service_account_token(self, namespace: str, name: str) -> str:
        """A token of this service account, which is made if it is not there."""
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        async with self.api() as api:
            try:
                await api.create(accounts, {"metadata": {"name": name}})
            except Refused as refused:
                if refused.reason != "AlreadyExists":
                    raise
            asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
            return str((await api.create(f"{accounts}/{name}/token", asked))["status"]["token"])

    async def create_namespace(self, name: str = "") -> str:
        """A namespace in which pods can be created at once: its default service account is there."""
        metadata: Json = {"name": name} if name else {"generateName": "test-"}
        async with self.api() as api:
            made = (await api.create("/api/v1/namespaces", {"metadata": metadata}))["metadata"]["name"]
            await api.until(f"/api/v1/namespaces/{made}/serviceaccounts/default", bool)
        return str(made)

    async def delete_namespace(self, name: str) -> None:
        """Begin to delete it; its pods lose their grace."""
        async with self.api() as api:
            await api.call("DELETE", f"/api/v1/namespaces/{name}/pods", {"gracePeriodSeconds": 0})
            await api.delete(f"/api/v1/namespaces/{name}")

    async def add_kwok_nodes(self, count: int, gpus: int = 8, prefix: str = "kwok", **shape: Any) -> list[str]:
        """Names of that many new simulated nodes, all Ready; `shape` as in `kwok.node`. What their pods do is said in kwok.py."""
        if self.kwok is None:
            self.kwok = kwok.part(self.programs, self.directory, self.kubeconfig)
            self.kwok.start()
        names = [f"{prefix}-{number}" for number in range(self._nodes, self._nodes + count)]
        self._nodes += count
        async with self.api() as api:
            await _all(api.create("/api/v1/nodes", kwok.node(name, gpus, **shape)) for name in names)
            wanted = set(names)
            await api.until("/api/v1/nodes", lambda nodes: wanted <= kwok.ready(nodes), READY_WITHIN_S + count / 10)
        return names

    async def kubectl(self, *arguments: str, kubeconfig: Path | None = None, stdin: bytes = b"") -> str:
        """What `kubectl` prints. Raises with its words if it fails."""
        process = await asyncio.create_subprocess_exec(
            self.programs / "kubectl", "--kubeconfig", kubeconfig or self.kubeconfig, *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await process.communicate(stdin)
        if process.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {errors.decode()}")
        return output.decode()

    async def _says_ready(self, api: Api) -> bool:
        try:
            return await api.text("/readyz") == "ok"
        except (aiohttp.ClientError, TimeoutError, Refused):
            return False

    def _etcd(self) -> Part:
        url, peers = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self.ports.take()}"
        flags = {
            "name": "etcd",
            "data-dir": self.directory / "etcd",
            "listen-client-urls": url,
            "advertise-client-urls": url,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"etcd={peers}",
            "unsafe-no-fsync": "true",
            "quota-backend-bytes": 4 << 30,
            "log-level": "warn",
        }
        return self._part("etcd", [f"--{name}={value}" for name, value in flags.items()])

    def _apiserver(self) -> Part:
        serving = self.authority.issue(
            "kube-apiserver", names=["localhost", "kubernetes"], addresses=["127.0.0.1", self.address, API_SERVICE]
        )
        kubelets = self.authority.issue("kube-apiserver-kubelet-client", ["system:masters"])
        flags = {
            "etcd-servers": f"http://127.0.0.1:{self._etcd_port}",
            "bind-address": self.address,
            "advertise-address": self.address,
            "secure-port": self.server.rpartition(":")[2],
            "endpoint-reconciler-type": "none",
            "service-cluster-ip-range": SERVICES,
            "cert-dir": self.directory / "pki",
            "client-ca-file": self.ca,
            "tls-cert-file": serving.certificate,
            "tls-private-key-file": serving.key,
            "kubelet-client-certificate": kubelets.certificate,
            "kubelet-client-key": kubelets.key,
            "kubelet-certificate-authority": self.ca,
            "kubelet-preferred-address-types": "InternalIP",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": self._signing_key,
            "service-account-signing-key-file": self._signing_key,
            "token-auth-file": self._tokens(),
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "allow-privileged": "true",
            "max-requests-inflight": 1600,
            "max-mutating-requests-inflight": 800,
            "profiling": "false",
        }
        return self._part(
            "kube-apiserver", [*(f"--{name}={value}" for name, value in flags.items()), *self._apiserver_flags]
        )

    def _controller_manager(self) -> Part:
        flags = {
            "kubeconfig": self.kubeconfig,
            "controllers": ",".join(CONTROLLERS),
            "service-account-private-key-file": self._signing_key,
            "root-ca-file": self.ca,
            "leader-elect": "false",
            "secure-port": 0,
            "kube-api-qps": 500,
            "kube-api-burst": 1000,
            "concurrent-namespace-syncs": 20,
            "namespace-sync-period": "10s",
        }
        ours = [f"--{name}={value}" for name, value in flags.items()]
        return self._part("kube-controller-manager", [*ours, *self._controller_manager_flags])

    def _scheduler(self) -> Part:
        flags = {
            "kubeconfig": self.kubeconfig,
            "leader-elect": "false",
            "secure-port": 0,
            "kube-api-qps": 500,
            "kube-api-burst": 1000,
        }
        return self._part("kube-scheduler", [f"--{name}={value}" for name, value in flags.items()])

    def _part(self, name: str, flags: Sequence[str]) -> Part:
        return Part(name, [str(self.programs / name), *flags], self.directory / f"{name}.log")

    def _tokens(self) -> Path:
        """Two people: the administrator, and a stranger who may do nothing."""
        path = self.directory / "pki" / "tokens.csv"
        path.touch(mode=0o600)
        path.write_text(
            f'{self.admin_token},admin,admin,"system:masters"\n{self.stranger_token},stranger,stranger,""\n'
        )
        return path

    def _kubeconfig(self, user: str, proof: Json) -> Path:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.server, "certificate-authority": str(self.ca)}}],
            "users": [{"name": user, "user": proof}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "current-context": "test",
        }
        path = self.directory / f"{user.replace(':', '-').replace('/', '-')}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        return path


async def _all(calls: Iterable[Awaitable[Any]]) -> None:
    """Await every call, as many at once as a connection pool is wide."""
    waiting = iter(calls)

    async def worker() -> None:
        for call in waiting:
            await call

    async with asyncio.TaskGroup() as workers:
        for _ in range(64):
            workers.create_task(worker())


def _files(pair: Pair) -> Json:
    return {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}


@asynccontextmanager
async def running_kubernetes(**options: Any) -> AsyncIterator[KubernetesCluster]:
    """A cluster without nodes that answers; options as in `KubernetesCluster`. Raises `build.NoClusterProgram` where none can be built."""
    with tempfile.TemporaryDirectory(prefix="osmo-k8s-", ignore_cleanup_errors=True) as directory:
        cluster = KubernetesCluster(Path(directory), **options)
        try:
            await cluster.start()
            yield cluster
        finally:
            cluster.close()
