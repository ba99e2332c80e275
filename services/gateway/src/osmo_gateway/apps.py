"""The registry of apps: followed from CONFIG, and changed by appending behind everything that is known of any app."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final

import msgspec

from osmo_domain.apps import (
    APP_CODEC,
    App,
    AppEvent,
    Apps,
    apply_app_event,
    decide_create,
    decide_delete,
    decide_rename,
    decide_update,
)
from osmo_domain.commit import Commit, UnknownEvent, encode_commit
from osmo_domain.errors import Stale, Transient
from osmo_domain.ids import new_uuid
from osmo_domain.spec.sections import split_sections
from osmo_eventlog.following import follow_to_now
from osmo_eventlog.ports import After, Blobs, EventLog, Recorded
from osmo_eventlog.subjects import CONFIG, config, config_of_kind
from osmo_service.clock import Clock

log = logging.getLogger("osmo.gateway.apps")

_KIND: Final = "app"
_EVERY_APP: Final = config_of_kind(_KIND)
_MOST_TRIES: Final = 16
_CATCH_UP_WITHIN_S: Final = 5.0

Decide = Callable[[Apps], tuple[str, list[AppEvent]]]
"""The uuid of an app, and what happens to it."""


class AppRegistry:
    """Every app with its versions. The texts of versions are blobs."""

    def __init__(self, event_log: EventLog, blobs: Blobs, clock: Clock, rng: random.Random) -> None:
        self._log = event_log
        self._blobs = blobs
        self._clock = clock
        self._rng = rng
        self._changing = asyncio.Lock()
        self._moved = asyncio.Event()
        self.apps = Apps()
        self.known = asyncio.Event()

    async def follow(self) -> None:
        """Root loop."""
        async for batch in follow_to_now(self._log, CONFIG, [_EVERY_APP], After(0), self.known):
            for record in batch:
                self._see(record)
            self._moved.set()

    async def create(self, name: str, description: str, text: str, user: str) -> App:
        split_sections(text)
        uuid, blob = new_uuid(self._rng), await self._blobs.put(text.encode())
        now = self._clock.now()
        await self._change(user, lambda apps: (uuid, decide_create(apps, name, description, user, blob, now)))
        return self.apps.by_uuid[uuid]

    async def update(self, name: str, text: str, user: str) -> App:
        """One version more, which is the last of the app's `versions`."""
        split_sections(text)
        blob, now = await self._blobs.put(text.encode()), self._clock.now()

        def decide(apps: Apps) -> tuple[str, list[AppEvent]]:
            app = apps.find(name)
            return app.uuid, decide_update(app, user, blob, now)

        return self.apps.by_uuid[await self._change(user, decide)]

    async def delete(self, name: str, user: str, version: int | None, *, every: bool) -> list[int]:
        """The versions that went."""
        deleted: list[int] = []
        now = self._clock.now()

        def decide(apps: Apps) -> tuple[str, list[AppEvent]]:
            app = apps.find(name)
            deleted[:] = [one.version for one in app.ready] if every else [version or 0]
            return app.uuid, decide_delete(app, user, version, now, every=every)

        await self._change(user, decide)
        return deleted

    async def rename(self, name: str, new_name: str, user: str) -> str:
        now = self._clock.now()

        def decide(apps: Apps) -> tuple[str, list[AppEvent]]:
            app = apps.find(name)
            return app.uuid, decide_rename(apps, app, new_name, user, now)

        return self.apps.by_uuid[await self._change(user, decide)].name

    async def text(self, name: str, version: int | None) -> bytes:
        """The spec of a version; of the latest where none is named."""
        return await self._blobs.get(self.apps.find(name).version(version).blob)

    async def _change(self, user: str, decide: Decide) -> str:
        """Decide on the apps as they are, and append behind exactly that; where another gateway was first, decide again."""
        async with self._changing:
            for _ in range(_MOST_TRIES):
                uuid, events = decide(self.apps)
                if not events:
                    return uuid
                try:
                    await self._append(uuid, user, events)
                except Stale:
                    await self._catch_up()
                else:
                    return uuid
        raise Transient("apps change too fast to be changed")

    async def _append(self, uuid: str, user: str, events: list[AppEvent]) -> None:
        commit: Commit[AppEvent] = Commit(new_uuid(self._rng), self._clock.now(), user, events)
        seq = await self._log.append(
            config(_KIND, uuid),
            encode_commit(commit),
            message_id=commit.id,
            expected=self.apps.seq,
            across=_EVERY_APP,
        )
        for event in events:
            apply_app_event(self.apps, uuid, event)
        self.apps.seq = seq

    async def _catch_up(self) -> None:
        """Wait until what is in the log now is known here."""
        last = await self._log.last(CONFIG, _EVERY_APP)
        try:
            async with asyncio.timeout(_CATCH_UP_WITHIN_S):
                while last is not None and self.apps.seq < last.seq:
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            raise Transient("what other gateways know of apps has not come yet") from None

    def _see(self, record: Recorded) -> None:
        if record.seq <= self.apps.seq:
            return
        try:
            commit = APP_CODEC.decode(record.data)
        except msgspec.DecodeError as error:
            log.error("not an app: passed over", extra={"subject": record.subject, "error": str(error)})
            commit = None
        for event in commit.events if commit is not None else ():
            if not isinstance(event, UnknownEvent):
                apply_app_event(self.apps, record.subject.rpartition(".")[2], event)
        self.apps.seq = record.seq
