"""Cluster IPs that answer: what kube-proxy does, in this process and without a rule of a firewall.

The address of every Service is put on the node's bridge, and whoever connects to it is connected to one of the pods that are ready, as EndpointSlices say at
that moment. Unlike kube-proxy: TCP only, the pod sees this machine as who calls, and no affinity of clients. One at a time on a machine.
"""

import asyncio
import contextlib
import random
import subprocess
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.cluster.api import Api, Json
from tests.cluster.kubernetes import KubernetesCluster
from tests.cluster.node import RealNode

LOOK_EVERY_S = 0.2
Address = tuple[str, int]
Port = tuple[str, str, str]
"""Namespace, Service, and the port's name."""


class ClusterIps:
    def __init__(self, cluster: KubernetesCluster, node: RealNode) -> None:
        self._cluster = cluster
        self._link = node.link
        self._servers: dict[Address, asyncio.Server] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._ready: dict[Port, list[Address]] = {}

    async def follow(self) -> None:
        async with self._cluster.api() as api:
            while True:
                await self._look(api)
                await asyncio.sleep(LOOK_EVERY_S)

    async def close(self) -> None:
        await self._only({})
        for writer in self._writers:
            writer.transport.abort()

    async def _look(self, api: Api) -> None:
        services = await api.get("/api/v1/services")
        slices = await api.get("/apis/discovery.k8s.io/v1/endpointslices")
        self._ready = ready_endpoints(slices["items"])
        # No controller keeps this one: the API server listens on loopback, which may not be an endpoint.
        self._ready["default", "kubernetes", "https"] = [self._cluster.endpoint]
        await self._only(served_ports(services["items"]))

    async def _only(self, wanted: dict[Address, Port]) -> None:
        """Listen at these addresses and at no others."""
        for address in self._servers.keys() - wanted.keys():
            self._servers.pop(address).close()
            if address[0] not in {ip for ip, _ in self._servers}:
                self._ip("delete", address[0])
        for address in wanted.keys() - self._servers.keys():
            if address[0] not in {ip for ip, _ in self._servers}:
                self._ip("add", address[0])
            self._servers[address] = await self._listen(address, wanted[address])

    async def _listen(self, address: Address, port: Port) -> asyncio.Server:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._writers.add(writer)
            with contextlib.suppress(OSError):
                await self._connect(port, reader, writer)
            self._writers.discard(writer)
            writer.transport.abort()

        return await asyncio.start_server(serve, *address)

    async def _connect(self, port: Port, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until both have said all they had to say; nobody ready is a connection that breaks at once."""
        if not (ready := self._ready.get(port)):
            return
        inward, outward = await asyncio.open_connection(*random.choice(ready))
        self._writers.add(outward)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, outward))
                both.create_task(_pump(inward, writer))
        except* OSError:
            pass
        finally:
            self._writers.discard(outward)
            outward.transport.abort()

    def _ip(self, change: str, ip: str) -> None:
        command = ["ip", "address", change, f"{ip}/32", "dev", self._link]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def served_ports(services: list[Json]) -> dict[Address, Port]:
    found = {}
    for service in services:
        where, spec = service["metadata"], service["spec"]
        for port in spec.get("ports", ()) if spec.get("clusterIP", "None") != "None" else ():
            found[spec["clusterIP"], port["port"]] = (where["namespace"], where["name"], port.get("name", ""))
    return found


def ready_endpoints(slices: list[Json]) -> dict[Port, list[Address]]:
    found: dict[Port, list[Address]] = defaultdict(list)
    for each in slices:
        service = each["metadata"]["namespace"], each["metadata"]["labels"].get("kubernetes.io/service-name", "")
        ready = [one for one in each["endpoints"] or () if one["conditions"].get("ready")]
        for port in each["ports"] or ():
            name = *service, port.get("name", "")
            found[name] += [(ip, port["port"]) for one in ready for ip in one["addresses"] if port.get("port")]
    return found


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while chunk := await source.read(1 << 16):
        sink.write(chunk)
        await sink.drain()
    sink.write_eof()


@asynccontextmanager
async def cluster_ips(cluster: KubernetesCluster, node: RealNode) -> AsyncIterator[None]:
    ips = ClusterIps(cluster, node)
    following = asyncio.create_task(ips.follow())
    try:
        yield
    finally:
        following.cancel()
        failed = (await asyncio.gather(following, return_exceptions=True))[0]
        await ips.close()
    if not isinstance(failed, asyncio.CancelledError):
        raise AssertionError("cluster IPs were not kept") from failed
