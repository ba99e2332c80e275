"""Which kinds of objects group templates have made here: what must be looked through for objects whose group is over.

Kept in one ConfigMap, so that a later life of the agent knows it too.
"""

import asyncio

from osmo_agent.kubernetes.names import CONTENT, backend_label, of_backend
from osmo_kube import CONFIG_MAPS, KubeApi
from osmo_kube.api import MERGE
from osmo_kube.writes import MANAGER, create, find

Kind = tuple[str, str]
"""(apiVersion, kind)."""


class GroupKinds:
    """`load` it before use."""

    def __init__(self, api: KubeApi, backend: str, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._name = of_backend("kinds", backend)
        self._labels = {CONTENT: "group-kinds", **backend_label(backend)}
        self._known: set[Kind] = set()
        self._writing = asyncio.Lock()

    def all(self) -> list[Kind]:
        return sorted(self._known)

    async def load(self) -> None:
        there = await find(self._api, CONFIG_MAPS, self._namespace, self._name)
        for each in ((there or {}).get("data") or {}).values():
            api_version, _, kind = each.partition(" ")
            self._known.add((api_version, kind))

    async def remember(self, kind: Kind) -> None:
        """Stored when it returns; nothing to do nearly always."""
        async with self._writing:
            if kind in self._known:
                return
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": self._name, "labels": self._labels}}
            await create(self._api, CONFIG_MAPS, self._namespace, body, self._labels)
            change = {"data": {f"{kind[0]}.{kind[1]}".replace("/", "_"): " ".join(kind)}}
            path = CONFIG_MAPS.one(self._namespace, self._name)
            await self._api.call("PATCH", path, change, query=MANAGER, content=MERGE)
            self._known.add(kind)
