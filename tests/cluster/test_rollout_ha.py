"""The ha overlay rolled out on a real kubelet: three NATS members, two of every service, in a namespace that enforces the pod security level `restricted`.

Changed for one machine with two processors: three members may share a node, and pods request little. What else is not real: test_rollout.py. PostgreSQL, which
is the reader's own, is that of the dev overlay. No ingress controller is there, so no agent comes in.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.cluster import manifests as k8s
from tests.cluster.kubernetes import KubernetesCluster
from tests.cluster.node import RealNode
from tests.cluster.rollout import POLL_S, Rollout, overlay_over, rollout
from tests.cluster.terminal import Ada, forwarded

pytestmark = [
    pytest.mark.containers,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="session"),
]

IMAGES = {"osmo-service:0.1.0", "nats:2.15.1-alpine", "postgres:17.6"}
LITTLE = {
    "op": "replace",
    "path": "/spec/template/spec/containers/0/resources/requests",
    "value": {"cpu": "20m", "memory": "32Mi"},
}
TOGETHER = {"op": "remove", "path": "/spec/template/spec/affinity"}
READY_WITHIN_S = 240
COPIES_WITHIN_S = 60


def ha_overlay(directory: Path) -> Path:
    patches = [
        {"target": {"kind": "Deployment"}, "patch": json.dumps([LITTLE])},
        {"target": {"kind": "StatefulSet"}, "patch": json.dumps([LITTLE, TOGETHER])},
    ]
    return overlay_over("ha", directory, patches=patches)


def postgres(cluster: KubernetesCluster) -> bytes:
    objects = k8s.build(cluster.programs / "kubectl", "dev")
    own = [one for one in objects if one["metadata"].get("labels", {}).get("app.kubernetes.io/name") == "postgres"]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": own}).encode()


async def test_the_ha_overlay_gets_ready_and_loses_a_member_of_nats(
    kubernetes: KubernetesCluster, node: RealNode, tmp_path: Path
) -> None:
    ada, ha = Ada(tmp_path / "ada"), ha_overlay(tmp_path / "ha")
    async with rollout(kubernetes, node, k8s.NAMESPACE, tmp_path) as rolled:
        await rolled.add_images(IMAGES)
        await rolled.add_volumes("100Gi", "100Gi", "100Gi", "5Gi")
        await rolled.make_secrets()
        await rolled.kubectl("apply", "--filename", "-", stdin=postgres(kubernetes))
        await rolled.apply(ha)
        await rolled.until_ready(READY_WITHIN_S)
        await every_stream_has_three_copies(rolled)
        async with forwarded(rolled) as url:
            await ada.login(url)
            await ada.osmo("config", "list")
            killing = asyncio.create_task(rolled.kill("statefulset.kubernetes.io/pod-name=nats-0"))
            await ada.osmo("backend", "register", "while-a-member-is-away")
            await killing
            assert await rolled.events("Killing")
            assert not await rolled.events("FailedPreStopHook")  # it sends its clients to the others before it ends
            assert "while-a-member-is-away" in await ada.osmo("backend", "list")
        await every_stream_has_three_copies(rolled)
        await rolled.delete(ha)
        await rolled.gone()


async def every_stream_has_three_copies(rolled: Rollout) -> None:
    """As their leaders say it, and none of the copies is behind or away."""
    seen: Any = None
    try:
        async with asyncio.timeout(COPIES_WITHIN_S):
            while not (seen := await _led_streams(rolled)) or not all(map(_is_whole, seen.values())):
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise AssertionError(f"not within {COPIES_WITHIN_S} s; last seen: {seen}") from None
    assert len(seen) >= 10


async def _led_streams(rolled: Rollout) -> dict[str, Any]:
    """Each stream as the member knows it that leads it."""
    found: dict[str, Any] = {}
    async with aiohttp.ClientSession() as http:
        for pod in await rolled.pods("app.kubernetes.io/name=nats"):
            url = f"http://{pod['status']['podIP']}:8222/jsz?streams=true&config=true"
            async with http.get(url) as answer:
                told = await answer.json()
            for account in told.get("account_details", ()):
                for stream in account.get("stream_detail", ()):
                    if stream["cluster"].get("leader") == pod["metadata"]["name"]:
                        found[stream["name"]] = stream
    return found


def _is_whole(stream: dict[str, Any]) -> bool:
    copies = stream["cluster"].get("replicas", ())
    return stream["config"]["num_replicas"] == 3 and [copy["current"] for copy in copies] == [True, True]
