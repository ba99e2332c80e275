"""Attempts that are over for good: no late command makes their pods again, in later lives of the agent either.

They are kept in ConfigMaps of the namespace, some hundred to each, many in one write; a ConfigMap is forgotten after a week, when no command
of before can come any more.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from osmo_agent.kubernetes.names import BACKEND, CONTENT, backend_label, of_backend, short
from osmo_kube import CONFIG_MAPS, KubeApi, NotFound
from osmo_kube.api import MERGE
from osmo_kube.writes import MANAGER, create, delete
from osmo_service.clock import Clock

KEPT: Final = timedelta(days=7)
PER_OBJECT: Final = 1000
_WHAT: Final = "ended-attempts"


class EndedAttempts:
    """`load` it before use."""

    def __init__(self, api: KubeApi, backend: str, namespace: str, clock: Clock, per_object: int = PER_OBJECT) -> None:
        self._api = api
        self._backend = backend
        self._namespace = namespace
        self._clock = clock
        self._per_object = per_object
        self._known: set[str] = set()
        self._queued: set[str] = set()
        self._writing = asyncio.Lock()
        self._number = 0
        self._room = 0
        """How many more the present object takes."""

    def __contains__(self, attempt: str) -> bool:
        return attempt in self._known

    async def load(self) -> None:
        """Take up what earlier lives wrote, and forget what is a week old."""
        query = {"labelSelector": f"{CONTENT}={_WHAT},{BACKEND}={short(self._backend)}"}
        listed = await self._api.get(CONFIG_MAPS.all(self._namespace), query)
        for each in listed["items"] or ():
            name = each["metadata"]["name"]
            if self._clock.now() - datetime.fromisoformat(each["metadata"]["creationTimestamp"]) > KEPT:
                await delete(self._api, CONFIG_MAPS, self._namespace, name)
                continue
            self._known.update(each.get("data") or {})
            self._number = max(self._number, int(name.rpartition("-")[2]))

    async def remember(self, attempts: Iterable[str]) -> None:
        """Stored when it returns. Those that ask while a write is under way go together in the next one."""
        wanted = set(attempts)
        self._queued |= wanted - self._known
        async with self._writing:
            if wanted <= self._known:
                return
            batch = sorted(self._queued)
            await self._write(batch)
            self._known.update(batch)
            self._queued.difference_update(batch)

    async def _write(self, batch: list[str]) -> None:
        if self._room <= 0:
            await self._begin()
        change = {"data": dict.fromkeys(batch, "")}
        path = CONFIG_MAPS.one(self._namespace, self._name())
        try:
            await self._api.call("PATCH", path, change, query=MANAGER, content=MERGE)
        except NotFound:
            self._room = 0
            raise
        self._room -= len(batch)

    async def _begin(self) -> None:
        self._number += 1
        labels = {CONTENT: _WHAT, **backend_label(self._backend)}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": self._name(), "labels": labels}}
        await create(self._api, CONFIG_MAPS, self._namespace, body, labels)
        self._room = self._per_object

    def _name(self) -> str:
        return f"{of_backend('ended', self._backend)}-{self._number}"
