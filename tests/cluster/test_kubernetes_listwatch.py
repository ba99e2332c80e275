"""The connection, the watch and the writes of libs/kube against a real API server that is stopped, cut off, busy and forgetful."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from tests.cluster.api import Api
from tests.cluster.kubernetes import KubernetesCluster
from tests.kubernetes_runtime import QUICK, eventually, link_to

from osmo_domain.errors import Rejected, Transient
from osmo_kube import CONFIG_MAPS, Expired, KubeApi, ListWatch, NotAllowed, Sighting, Timing, Unauthorized, connect
from osmo_kube.writes import create, delete, find

pytestmark = pytest.mark.xdist_group("cluster")

OURS = {"mine": "yes"}


class Names:
    """What a watch of ConfigMaps says is there, and every word of it."""

    def __init__(
        self, api: KubeApi, namespace: str, timing: Timing = QUICK, page: dict[str, Any] | None = None
    ) -> None:
        query = {"labelSelector": "mine=yes", **(page or {})}
        self.watch = ListWatch(
            api, CONFIG_MAPS.all(namespace), self._read, rng=random.Random(3), query=query, timing=timing
        )
        self.there: set[str] = set()
        self.said: list[str] = []
        self.lists = 0
        self.longest = 0

    async def follow(self) -> None:
        async for batch in self.watch.follow():
            for seen in batch.seen:
                self.said.append(f"{'-' if seen.gone else '+'}{seen.item}")
                (self.there.discard if seen.gone else self.there.add)(seen.item)
            self.lists += batch.synced

    def _read(self, raw: Raw) -> Sighting[str]:
        metadata = msgspec.json.decode(raw)["metadata"]
        self.longest = max(self.longest, len(bytes(raw)))
        return Sighting(metadata["uid"], metadata["resourceVersion"], metadata["name"])


@asynccontextmanager
async def following(names: Names) -> AsyncIterator[Names]:
    task = asyncio.create_task(names.follow())
    try:
        await eventually(lambda: names.lists > 0)
        yield names
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[KubeApi]:
    async with connect(str(kubeconfig), rng=random.Random(5), environ={}) as api:
        yield api


def config_map(name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": OURS}, **more}


async def make(cluster: KubernetesCluster, namespace: str, *names: str) -> None:
    async with cluster.api() as api:
        for name in names:
            await api.create(f"/api/v1/namespaces/{namespace}/configmaps", config_map(name))


async def remove(cluster: KubernetesCluster, namespace: str, name: str) -> None:
    async with cluster.api() as api:
        await api.delete(f"/api/v1/namespaces/{namespace}/configmaps/{name}")


async def test_first_what_is_there_then_each_change(kubernetes: KubernetesCluster, namespace: str) -> None:
    await make(kubernetes, namespace, "a", "b")
    async with connected(kubernetes.kubeconfig) as api, following(Names(api, namespace)) as names:
        assert names.there == {"a", "b"}
        await make(kubernetes, namespace, "c")
        await remove(kubernetes, namespace, "a")
        await eventually(lambda: names.there == {"b", "c"})
        assert sorted(names.said[:2]) == ["+a", "+b"]
        assert names.said[2:] == ["+c", "-a"]
        assert names.lists == 1


async def test_long_lists_come_in_pages(
    kubernetes: KubernetesCluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("osmo_kube.listwatch.PAGE", 2)
    await make(kubernetes, namespace, *(f"m{number}" for number in range(5)))
    async with connected(kubernetes.kubeconfig) as api, following(Names(api, namespace)) as names:
        assert names.there == {f"m{number}" for number in range(5)}
        assert len(names.said) == 5


async def test_a_watch_that_ends_goes_on_where_it_was_and_lists_again_now_and_then(
    kubernetes: KubernetesCluster, namespace: str
) -> None:
    timing = Timing(watch_s=1, late_s=5, silent_s=5, resync_s=2.5, first_pause_s=0.05, longest_pause_s=0.2)
    async with connected(kubernetes.kubeconfig) as api, following(Names(api, namespace, timing)) as names:
        for number in range(8):
            await make(kubernetes, namespace, f"m{number}")
            await asyncio.sleep(0.5)
        await eventually(lambda: len(names.there) == 8)
        assert names.said == [f"+m{number}" for number in range(8)]
        await eventually(lambda: names.lists >= 3)
        assert len(names.said) == 8


async def test_an_api_server_that_was_away_has_lost_us_nothing(kubernetes: KubernetesCluster, namespace: str) -> None:
    await make(kubernetes, namespace, "a", "b")
    async with connected(kubernetes.kubeconfig) as api, following(Names(api, namespace)) as names:
        kubernetes.stop_apiserver()
        with pytest.raises(Transient):
            await api.get("/version")
        await kubernetes.start_apiserver()
        await make(kubernetes, namespace, "c")
        await eventually(lambda: names.there == {"a", "b", "c"})
        assert names.said.count("+a") == 1


async def test_what_went_while_the_link_was_cut_is_told_as_gone(
    kubernetes: KubernetesCluster, namespace: str, tmp_path: Path
) -> None:
    await make(kubernetes, namespace, "a", "b")
    async with (
        link_to(kubernetes, tmp_path) as (link, kubeconfig),
        connected(kubeconfig) as api,
        following(Names(api, namespace)) as names,
    ):
        await link.cut()
        await remove(kubernetes, namespace, "a")
        await make(kubernetes, namespace, "c")
        await link.heal()
        await eventually(lambda: names.there == {"b", "c"})
        assert names.said[2:] in (["+c", "-a"], ["-a", "+c"])


async def test_a_path_that_dies_without_a_word_is_noticed(
    kubernetes: KubernetesCluster, namespace: str, tmp_path: Path
) -> None:
    timing = Timing(watch_s=60, late_s=5, silent_s=2, resync_s=600, first_pause_s=0.05, longest_pause_s=0.2)
    async with (
        link_to(kubernetes, tmp_path) as (link, kubeconfig),
        connected(kubeconfig) as api,
        following(Names(api, namespace, timing)) as names,
    ):
        await make(kubernetes, namespace, "a")
        await eventually(lambda: names.there == {"a"})
        before = link.connections
        link.silence()
        await make(kubernetes, namespace, "b")
        await eventually(lambda: link.connections > before)
        await link.heal()
        await eventually(lambda: names.there == {"a", "b"})


async def test_a_version_that_is_too_old_leads_to_a_new_list(kubernetes: KubernetesCluster, namespace: str) -> None:
    timing = Timing(watch_s=1, late_s=5, silent_s=5, resync_s=600, first_pause_s=0.05, longest_pause_s=0.2)
    await make(kubernetes, namespace, "a")
    await kubernetes.restart_apiserver()  # it remembers no change from before now
    async with connected(kubernetes.kubeconfig) as api, following(Names(api, namespace, timing)) as names:
        query = {"watch": "1", "resourceVersion": "1", "timeoutSeconds": 5}
        with pytest.raises(Expired):
            await _read_all(api, CONFIG_MAPS.all(namespace), query)
        names.watch._version = "1"  # as if nothing had come since long ago
        await eventually(lambda: names.lists >= 2)
        await make(kubernetes, namespace, "b")
        await eventually(lambda: names.there == {"a", "b"})
        assert names.said == ["+a", "+b"]


async def _read_all(api: KubeApi, path: str, query: dict[str, Any]) -> None:
    """A watch, as ListWatch reads it."""
    watch = ListWatch(api, path, lambda _: Sighting("", "", ""), rng=random.Random(1))
    async with api.lines(path, query, silent_s=10, within_s=10) as chunks:
        async for lines in chunks:
            for line in lines:
                watch._take(line)


async def test_a_line_longer_than_any_buffer_is_read(kubernetes: KubernetesCluster, namespace: str) -> None:
    async with connected(kubernetes.kubeconfig) as api, following(Names(api, namespace)) as names:
        await make(kubernetes, namespace, "large")
        async with kubernetes.api() as admin:
            for key in "xyz":
                more = {"data": {key: "\x01" * 150_000}}
                await admin.patch(f"/api/v1/namespaces/{namespace}/configmaps/large", more)
        await make(kubernetes, namespace, "small")
        await eventually(lambda: names.there == {"large", "small"})
        assert names.longest > 2 << 20
        assert names.lists == 1


async def test_making_twice_is_making_once_and_names_of_others_are_left_alone(
    kubernetes: KubernetesCluster, namespace: str
) -> None:
    async with connected(kubernetes.kubeconfig) as api:
        first, new = await create(api, CONFIG_MAPS, namespace, config_map("a", data={"x": "1"}), OURS)
        second, again = await create(api, CONFIG_MAPS, namespace, config_map("a", data={"x": "2"}), OURS)
        assert (new, again) == (True, False)
        assert second["metadata"]["uid"] == first["metadata"]["uid"]
        assert second["data"] == {"x": "1"}
        with pytest.raises(Rejected, match="is not osmo's"):
            await create(api, CONFIG_MAPS, namespace, config_map("a"), {"mine": "no"})
        with pytest.raises(Rejected, match="Invalid value"):
            await create(api, CONFIG_MAPS, namespace, config_map("Not_A_Name"), OURS)


async def test_only_the_object_that_is_meant_is_deleted(kubernetes: KubernetesCluster, namespace: str) -> None:
    async with connected(kubernetes.kubeconfig) as api:
        made, _ = await create(api, CONFIG_MAPS, namespace, config_map("a"), OURS)
        await delete(api, CONFIG_MAPS, namespace, "a", uid="another")
        assert await find(api, CONFIG_MAPS, namespace, "a")
        await delete(api, CONFIG_MAPS, namespace, "a", uid=made["metadata"]["uid"])
        await delete(api, CONFIG_MAPS, namespace, "a", uid=made["metadata"]["uid"])
        assert await find(api, CONFIG_MAPS, namespace, "a") is None


async def test_a_busy_api_server_is_given_the_time_it_asks_for(kubernetes: KubernetesCluster, namespace: str) -> None:
    """A flow of its own serves one request of this account at a time, and refuses the others with 429."""
    token = await kubernetes.service_account_token(namespace, "busy")
    kubeconfig = kubernetes.kubeconfig_for(f"busy-{namespace}", token)
    name = f"narrow-{namespace}"
    async with kubernetes.api() as admin, connected(kubeconfig) as api:
        await admin.create(f"{FLOWS}/prioritylevelconfigurations", {"metadata": {"name": name}, "spec": NARROW})
        await admin.create(f"{FLOWS}/flowschemas", {"metadata": {"name": name}, "spec": flow_of("busy", namespace)})
        try:
            await admin.until(f"{FLOWS}/flowschemas/{name}", lambda flow: flow["status"].get("conditions"))
            answers = await asyncio.gather(*(api.get("/openapi/v3") for _ in range(40)))
            rejected = await _rejected(admin, name)
        finally:
            await admin.delete(f"{FLOWS}/flowschemas/{name}")
            await admin.delete(f"{FLOWS}/prioritylevelconfigurations/{name}")
    assert rejected > 0
    assert len([each for each in answers if each["paths"]]) == 40


FLOWS = "/apis/flowcontrol.apiserver.k8s.io/v1"
NARROW = {
    "type": "Limited",
    "limited": {"nominalConcurrencyShares": 0, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}},
}


def flow_of(account: str, namespace: str) -> dict[str, Any]:
    subject = {"kind": "ServiceAccount", "serviceAccount": {"name": account, "namespace": namespace}}
    asked = {"verbs": ["*"], "nonResourceURLs": ["*"]}
    rules = [{"subjects": [subject], "nonResourceRules": [asked]}]
    return {"matchingPrecedence": 2, "priorityLevelConfiguration": {"name": f"narrow-{namespace}"}, "rules": rules}


async def _rejected(admin: Api, level: str) -> int:
    """How many requests the level has refused."""
    table = (await admin.text("/debug/api_priority_and_fairness/dump_priority_levels")).splitlines()
    columns = [each.strip() for each in table[0].split(",")]
    row = next(line for line in table if line.startswith(f"{level},"))
    return int(row.split(",")[columns.index("RejectedRequests")])


async def test_a_token_that_is_replaced_in_the_kubeconfig_is_picked_up(
    kubernetes: KubernetesCluster, namespace: str
) -> None:
    first = await kubernetes.service_account_token(namespace, "first")
    name = f"rotated-{namespace}"
    kubeconfig = kubernetes.kubeconfig_for(name, first)
    async with connected(kubeconfig) as api:
        assert await api.get("/version")
        async with kubernetes.api() as admin:
            await admin.delete(f"/api/v1/namespaces/{namespace}/serviceaccounts/first")
        await eventually(lambda: _is_unauthorized(api))
        kubernetes.kubeconfig_for(name, await kubernetes.service_account_token(namespace, "second"))
        assert await api.get("/version")


async def test_a_token_that_is_replaced_in_its_file_is_picked_up(
    kubernetes: KubernetesCluster, namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "ca.crt").write_bytes(kubernetes.ca.read_bytes())
    token = tmp_path / "token"
    token.write_text(await kubernetes.service_account_token(namespace, "first"))
    host, _, port = kubernetes.server.removeprefix("https://").rpartition(":")
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    async with connect(rng=random.Random(1), environ=environ, service_account=tmp_path) as api:
        assert await api.get("/version")
        async with kubernetes.api() as admin:
            await admin.delete(f"/api/v1/namespaces/{namespace}/serviceaccounts/first")
        await eventually(lambda: _is_unauthorized(api))
        token.write_text(await kubernetes.service_account_token(namespace, "second"))
        assert await api.get("/version")


async def _is_unauthorized(api: KubeApi) -> bool:
    try:
        await api.get("/version")
    except Unauthorized:
        return True
    await asyncio.sleep(0.3)
    return False


async def test_a_watch_that_may_not_be_goes_on_when_the_right_is_given(
    kubernetes: KubernetesCluster, namespace: str
) -> None:
    await make(kubernetes, namespace, "a")
    token = await kubernetes.service_account_token(namespace, "watcher")
    async with connected(kubernetes.kubeconfig_for(f"watcher-{namespace}", token)) as api:
        with pytest.raises(NotAllowed, match=f"the agent may not `list configmaps` in namespace {namespace}"):
            await api.get(CONFIG_MAPS.all(namespace))
        names = Names(api, namespace)
        watching = asyncio.create_task(names.follow())
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]}]
        await allow(kubernetes, namespace, "watcher", rules)
        await eventually(lambda: names.there == {"a"})
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def allow(cluster: KubernetesCluster, namespace: str, account: str, rules: list[dict[str, Any]]) -> None:
    """A role in this namespace for the account."""
    group = "/apis/rbac.authorization.k8s.io/v1"
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account}
    async with cluster.api() as api:
        await api.create(f"{group}/namespaces/{namespace}/roles", {"metadata": {"name": account}, "rules": rules})
        await api.create(
            f"{group}/namespaces/{namespace}/rolebindings",
            {"metadata": {"name": account}, "subjects": [subject], "roleRef": reference},
        )
