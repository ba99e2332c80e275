"""Attempts that are over for good: no late command makes their pods again, in later lives of the agent either.

They are kept in ConfigMaps of the namespace, up to a thousand in each, many in one write. A late command comes within minutes of the agent's
being up (what is not acknowledged is delivered again), so a ConfigMap is forgotten after some hours, by an agent that has been up for a while.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from osmo_agent.kubernetes.names import BACKEND, CONTENT, backend_label, of_backend, short
from osmo_kube import CONFIG_MAPS, KubeApi, NotFound
from osmo_kube.api import MERGE
from osmo_kube.writes import MANAGER, create, delete
from osmo_service.clock import Clock

KEPT: Final = timedelta(hours=6)
UP_FIRST: Final = timedelta(hours=1)
PER_OBJECT: Final = 1000
_WHAT: Final = "ended-attempts"


@dataclass(slots=True)
class _Page:
    """One ConfigMap."""

    number: int
    began: datetime
    attempts: set[str] = field(default_factory=set)


class EndedAttempts:
    """`load` it before use, and `forget` now and then."""

    def __init__(self, api: KubeApi, backend: str, namespace: str, clock: Clock, per_object: int = PER_OBJECT) -> None:
        self._api = api
        self._backend = backend
        self._namespace = namespace
        self._clock = clock
        self._up_since = clock.now()
        self._per_object = per_object
        self._known: set[str] = set()
        self._queued: set[str] = set()
        self._writing = asyncio.Lock()
        self._pages: list[_Page] = []
        """By number; the last one is written to, if this life began it."""
        self._own: _Page | None = None

    def __contains__(self, attempt: str) -> bool:
        return attempt in self._known

    async def load(self) -> None:
        """Take up what earlier lives wrote."""
        query = {"labelSelector": f"{CONTENT}={_WHAT},{BACKEND}={short(self._backend)}"}
        listed = await self._api.get(CONFIG_MAPS.all(self._namespace), query)
        for each in listed["items"] or ():
            number = int(each["metadata"]["name"].rpartition("-")[2])
            began = datetime.fromisoformat(each["metadata"]["creationTimestamp"])
            self._pages.append(_Page(number, began, set(each.get("data") or {})))
        self._pages.sort(key=lambda page: page.number)
        self._known = set[str]().union(*(page.attempts for page in self._pages))

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

    async def forget(self) -> None:
        """Drop what is so old that no command can ask for it."""
        now = self._clock.now()
        if now - self._up_since < UP_FIRST:
            return
        async with self._writing:
            for page in [page for page in self._pages if now - page.began > KEPT]:
                await delete(self._api, CONFIG_MAPS, self._namespace, self._name(page))
                self._pages.remove(page)
                self._known -= page.attempts
                if page is self._own:
                    self._own = None

    async def _write(self, batch: list[str]) -> None:
        if self._own is None or len(self._own.attempts) >= self._per_object:
            self._own = await self._begin()
        change = {"data": dict.fromkeys(batch, "")}
        path = CONFIG_MAPS.one(self._namespace, self._name(self._own))
        try:
            await self._api.call("PATCH", path, change, query=MANAGER, content=MERGE)
        except NotFound:
            self._own = None
            raise
        self._own.attempts.update(batch)

    async def _begin(self) -> _Page:
        number = self._pages[-1].number + 1 if self._pages else 1
        page = _Page(number, self._clock.now())
        labels = {CONTENT: _WHAT, **backend_label(self._backend)}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": self._name(page), "labels": labels}}
        await create(self._api, CONFIG_MAPS, self._namespace, body, labels)
        self._pages.append(page)
        return page

    def _name(self, page: _Page) -> str:
        return f"{of_backend('ended', self._backend)}-{page.number}"
