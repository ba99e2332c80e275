"""A node that runs real containers: the real kubelet on containerd and runc, in namespaces of its own on this machine.

The node's processes live in a PID namespace: when its first process dies, and it dies with us, the kernel kills kubelet, containerd, shims and containers
together. They live in a mount namespace, so no mount outlives them either, and /run, /var/lib and /var/log are the node's own. Pods are on a bridge of this
node; from a pod, this machine is `host_address`. A pod with `hostNetwork` also sees this machine's loopback.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.cluster import images, kwok
from tests.cluster.api import Json
from tests.cluster.images import Image
from tests.cluster.kubernetes import READY_WITHIN_S, KubernetesCluster
from tests.cluster.parts import NotReady, Part, port_is_held

NEEDED = ("containerd", "containerd-shim-runc-v2", "ctr", "runc", "ip", "nsenter", "unshare")
CNI_PLUGINS = Path("/usr/lib/cni")
CGROUPS = Path("/sys/fs/cgroup")
LINK = "osmot"
CGROUP = "osmo-test-"

# The first process of the node: it keeps the namespaces and reaps what its children leave behind.
_INIT = """
set -e
for folder in /run /var/log /var/lib; do mount -t tmpfs tmpfs $folder; done
trap : TERM
touch "$1"
while :; do sleep 1000 & wait; done
"""


class NoContainers(RuntimeError):
    """This machine cannot run containers; the text says what it lacks."""


class RealNode:
    """One real node of a cluster."""

    def __init__(self, cluster: KubernetesCluster, directory: Path, name: str) -> None:
        self.cluster = cluster
        self.directory = directory
        self.name = name
        self.port = cluster.ports.take()
        self.host_address = f"10.{self.port >> 8}.{self.port & 255}.1"
        self.link = f"{LINK}{self.port}"
        self.cgroup = f"{CGROUP}{self.port}"
        self._socket = directory / "containerd.sock"
        self._in = directory / "in"
        self.init = Part("node", ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                                  "sh", "-c", _INIT, "init", str(self._in)], directory / "node.log")  # fmt: skip
        self.dns = Part(
            "coredns", [str(cluster.programs / "coredns"), str(self._corefile())], directory / "coredns.log"
        )
        self.containerd: Part | None = None
        self.kubelet: Part | None = None

    async def start(self, gpus: int = 0) -> None:
        """Returns once the node is Ready; it says that it has that many GPUs."""
        self._make_link()
        self._make_cgroups()
        self.init.start()
        await self._until(self._in.exists, self.init)
        self.containerd = self._inside("containerd", ["containerd", "--config", str(self._containerd_config())])
        self.containerd.start()
        await self._until(self._containerd_answers, self.containerd)
        for image in (images.pause(), images.busybox()):
            await self.add_image(image)
        self.kubelet = self._inside("kubelet", [str(self.cluster.programs / "kubelet"), *self._kubelet_flags()])
        self.start_kubelet()
        self.dns.start()
        async with self.cluster.api() as api:
            path = f"/api/v1/nodes/{self.name}"
            waiting = asyncio.create_task(api.until(path, kwok.is_ready, READY_WITHIN_S))
            await self._until(waiting.done, self.kubelet)
            await waiting
            if gpus:
                await api.patch(f"{path}/status", {"status": {"capacity": {"nvidia.com/gpu": str(gpus)}}})
                await api.until(path, lambda node: "nvidia.com/gpu" in node["status"]["allocatable"])

    def close(self) -> None:
        """Everything of this node ends, and nothing of it stays."""
        for part in (self.kubelet, self.containerd, self.dns, self.init):
            if part is not None:
                part.kill()
        subprocess.run(["ip", "link", "delete", self.link], check=False, capture_output=True)
        _remove_cgroups(self.cgroup)

    def stop_kubelet(self) -> None:
        """The node falls silent. Its containers run on."""
        assert self.kubelet is not None
        self.kubelet.kill()

    def start_kubelet(self) -> None:
        assert self.kubelet is not None
        self.kubelet.start()

    async def add_image(self, image: Image) -> None:
        """From now on pods on this node can use the image by its name."""
        archive = self.directory / "image.tar"
        archive.write_bytes(image.archive())
        await self.add_archive(archive)
        archive.unlink()

    async def add_archive(self, archive: Path) -> None:
        """The same for an image that somebody has written to a file."""
        await self._ctr("images", "import", "--no-unpack", str(archive))

    async def _ctr(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            "ctr", "--address", str(self._socket), "--namespace", "k8s.io", *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"ctr {' '.join(arguments)}: {output.decode()}")
        return output.decode()

    def _containerd_answers(self) -> bool:
        asked = ["ctr", "--address", str(self._socket), "version"]
        return subprocess.run(asked, check=False, capture_output=True).returncode == 0

    async def _until(self, condition: object, part: Part) -> None:
        assert callable(condition)
        until = time.monotonic() + READY_WITHIN_S
        while not condition():
            part.check()
            if time.monotonic() > until:
                raise NotReady(f"{part.name} is not ready: {part.said()}")
            await asyncio.sleep(0.05)

    def _inside(self, name: str, command: list[str]) -> Part:
        enter = ["nsenter", "--target", str(self._first()), "--mount", "--pid", "--"]
        return Part(name, [*enter, *command], self.directory / f"{name}.log")

    def _first(self) -> int:
        """The node's first process, as this machine numbers it."""
        children = Path(f"/proc/{self.init.pid}/task/{self.init.pid}/children").read_text().split()
        return int(children[0])

    def _make_link(self) -> None:
        for command in (
            ["ip", "link", "add", self.link, "type", "bridge"],
            ["ip", "address", "add", f"{self.host_address}/24", "dev", self.link],
            ["ip", "link", "set", self.link, "up"],
        ):
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode != 0:
                raise NoContainers(f"{' '.join(command)}: {done.stderr.strip()}")

    def _make_cgroups(self) -> None:
        """The kubelet wants its root in every hierarchy."""
        for controller in _hierarchies():
            folder = controller / self.cgroup
            folder.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):
                if (controller / name).exists():
                    (folder / name).write_text((controller / name).read_text())

    def _containerd_config(self) -> Path:
        """`restrict_oom_score_adj`: without CAP_SYS_RESOURCE nobody's score can be lowered."""
        cni = self.directory / "cni"
        cni.mkdir()
        (cni / "10-osmo.conflist").write_text(json.dumps(self._network()))
        path = self.directory / "containerd.toml"
        path.write_text(f"""
version = 2
root = "{self.directory}/containerd"
state = "/run/containerd"
[grpc]
  address = "{self._socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{images.PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{cni}"
""")
        return path

    def _network(self) -> Json:
        """A bridge that leads to this machine and to the node's other pods, and nowhere else: nothing is forwarded, no firewall is touched."""
        addresses = {
            "type": "host-local",
            "dataDir": "/run/cni",
            "ranges": [[{"subnet": self.host_address.rpartition(".")[0] + ".0/24", "gateway": self.host_address}]],
            "routes": [{"dst": "0.0.0.0/0", "gw": self.host_address}],
        }
        bridge = {"type": "bridge", "bridge": self.link, "hairpinMode": True, "ipam": addresses}
        return {"cniVersion": "0.4.0", "name": "osmo", "plugins": [bridge]}

    def _kubelet_flags(self) -> list[str]:
        user = self.cluster.kubeconfig_of(f"system:node:{self.name}", ["system:nodes"])
        config = self.directory / "kubelet.yaml"
        config.write_text(json.dumps(self._kubelet_config()))
        flags = {
            "kubeconfig": user,
            "config": config,
            "root-dir": self.directory / "kubelet",
            "hostname-override": self.name,
            "node-ip": self.host_address,
        }
        return [f"--{name}={value}" for name, value in flags.items()]

    def _kubelet_config(self) -> Json:
        serving = self.cluster.authority.issue(f"kubelet-{self.name}", names=[self.name], addresses=[self.host_address])
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.host_address,
            "port": self.port,
            "healthzPort": 0,
            "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(self.cluster.ca)}},
            "authorization": {"mode": "AlwaysAllow"},
            "tlsCertFile": str(serving.certificate),
            "tlsPrivateKeyFile": str(serving.key),
            "containerRuntimeEndpoint": f"unix://{self._socket}",
            "podLogsDir": str(self.directory / "logs"),
            "clusterDNS": [self.host_address],
            "clusterDomain": "cluster.local",
            "resolvConf": str(self._resolver()),
            # These machines: cgroup v1, no systemd, no right to raise limits or to write the kernel's settings.
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.cgroup}",
            "failSwapOn": False,
            "makeIPTablesUtilChains": False,
            "featureGates": {"KubeletInUserNamespace": True},
            # A test's node is not to evict by how full this machine's disk happens to be.
            "evictionHard": {
                "memory.available": "1Mi",
                "nodefs.available": "0%",
                "imagefs.available": "0%",
                "nodefs.inodesFree": "0%",
            },
            "imageGCHighThresholdPercent": 100,
            "registryPullQPS": 100,
            "kubeAPIQPS": 200,
            "kubeAPIBurst": 400,
            "maxPods": 200,
            "nodeStatusUpdateFrequency": "5s",
            "crashLoopBackOff": {"maxContainerRestartPeriod": "5s"},
        }

    def _resolver(self) -> Path:
        path = self.directory / "resolv.conf"
        path.write_text(f"nameserver {self.host_address}\n")
        return path

    def _corefile(self) -> Path:
        """Names of services and of the pods behind headless ones; every other name is refused at once."""
        path = self.directory / "Corefile"
        path.write_text(f"""
cluster.local:53 {{
    bind {self.host_address}
    errors
    kubernetes cluster.local {{
        kubeconfig {self.cluster.kubeconfig} test
        ttl 0
    }}
}}
""")
        return path


@asynccontextmanager
async def running_node(cluster: KubernetesCluster, name: str = "real-0", gpus: int = 0) -> AsyncIterator[RealNode]:
    """A real node that is Ready. Raises `NoContainers` where this machine lacks something."""
    require_containers()
    sweep()
    with tempfile.TemporaryDirectory(prefix="osmo-node-", ignore_cleanup_errors=True) as directory:
        node = RealNode(cluster, Path(directory), name)
        try:
            await node.start(gpus)
            yield node
        finally:
            node.close()


def require_containers() -> None:
    missing = [name for name in NEEDED if shutil.which(name) is None]
    missing += [
        str(path) for path in (images.BUSYBOX, CNI_PLUGINS / "bridge", CNI_PLUGINS / "loopback") if not path.exists()
    ]
    if missing:
        raise NoContainers(f"missing {', '.join(missing)}: run tests/cluster/packages.sh")
    if os.geteuid() != 0:
        raise NoContainers("only root can run a node")


def sweep() -> None:
    """Remove the bridges and cgroups of nodes that died without closing: those whose port nobody holds."""
    listed = subprocess.run(["ip", "-o", "link"], check=False, capture_output=True, text=True).stdout
    for port in re.findall(rf"\b{LINK}(\d+):", listed):
        if not port_is_held(int(port)):
            subprocess.run(["ip", "link", "delete", f"{LINK}{port}"], check=False, capture_output=True)
    for folder in {path.name for hierarchy in _hierarchies() for path in hierarchy.glob(f"{CGROUP}*")}:
        if not port_is_held(int(folder.removeprefix(CGROUP))):
            _remove_cgroups(folder)


def _hierarchies() -> Iterator[Path]:
    for path in CGROUPS.iterdir():
        if path.is_dir() and not path.is_symlink() and (path / "cgroup.procs").exists():
            yield path


def _remove_cgroups(name: str) -> None:
    """The processes are dead or dying: the kernel keeps a cgroup until the last one is gone."""
    until = time.monotonic() + 10
    for hierarchy in _hierarchies():
        for folder, _, _ in os.walk(hierarchy / name, topdown=False):
            while Path(folder).exists() and time.monotonic() < until:
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
                    break
                time.sleep(0.02)
