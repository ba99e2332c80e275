"""List, then watch, for ever: what there is, then each change, then what there is again (style P21).

The library's own watch is not used: it tries a version that ran out once more and then gives up, has no deadline for reading (a path that
died without a word hangs for ever), and its lines have a length limit.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Raw, Struct, field

from osmo_domain.errors import Rejected, Stale, Transient
from osmo_kube.api import KubeApi, Query
from osmo_kube.errors import Answer, Expired, translate

log = logging.getLogger("osmo.kube.listwatch")

T = TypeVar("T")

PAGE: Final = 500
_LIST_WITHIN_S: Final = 60.0


class Sighting(NamedTuple, Generic[T]):
    """One object, as small as its reader makes it. `uid` tells two objects of one name apart."""

    uid: str
    version: str
    item: T


class Seen(NamedTuple, Generic[T]):
    """`gone`: it does not exist any more; `item` is the last that was known of it."""

    item: T
    gone: bool


class Batch(NamedTuple, Generic[T]):
    """`synced` stands at the end of each list: everything that exists has been told, everything else has been told as gone.

    `began` is when that list was begun, in the loop's time: what was made before and has not been told is gone.
    """

    seen: Sequence[Seen[T]]
    synced: bool
    began: float


@dataclass(frozen=True, slots=True)
class Timing:
    """`silent_s`: API servers send a bookmark about once a minute, so a longer silence is a dead path."""

    watch_s: float = 300
    late_s: float = 15
    silent_s: float = 150
    resync_s: float = 600
    first_pause_s: float = 0.2
    longest_pause_s: float = 30


class _Metadata(Struct, rename="camel"):
    resource_version: str = ""
    continue_token: str = field(default="", name="continue")


class _Page(Struct):
    metadata: _Metadata
    items: list[Raw] | None = None


class _Line(Struct):
    type: str
    object: Raw


class _Bookmark(Struct):
    metadata: _Metadata


_PAGE: Final = msgspec.json.Decoder(_Page)
_LINE: Final = msgspec.json.Decoder(_Line)
_BOOKMARK: Final = msgspec.json.Decoder(_Bookmark)


class ListWatch(Generic[T]):
    """`read` makes of an object's JSON what is kept of it."""

    def __init__(
        self,
        api: KubeApi,
        path: str,
        read: Callable[[Raw], Sighting[T]],
        *,
        rng: random.Random,
        query: Query | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._api = api
        self._path = path
        self._read = read
        self._rng = rng
        self._query = dict(query or {})
        self._timing = timing or Timing()
        self._known: dict[str, tuple[str, T]] = {}
        self._version = ""
        self._failures = 0

    async def follow(self) -> AsyncGenerator[Batch[T], None]:
        """Never ends and raises nothing that time or an administrator can heal. One follower at a time."""
        while True:
            try:
                async with aclosing(self._list()) as listed:
                    async for batch in listed:
                        yield batch
                async with aclosing(self._watch()) as watched:
                    async for batch in watched:
                        yield batch
            except Expired:
                log.info("too far behind: listing again", extra={"path": self._path})
                await self._pause()
            except (Transient, Stale, Rejected) as error:
                log.warning("cannot watch; trying again", extra={"path": self._path, "why": str(error)})
                await self._pause()

    async def _list(self) -> AsyncGenerator[Batch[T], None]:
        began = asyncio.get_running_loop().time()
        there: set[str] = set()
        query = {**self._query, "limit": PAGE}
        while True:
            page = _PAGE.decode(await self._api.call("GET", self._path, query=query, within_s=_LIST_WITHIN_S))
            sightings = [each for raw in page.items or () if (each := self._sight(raw))]
            there.update(sighting.uid for sighting in sightings)
            yield Batch([seen for each in sightings if (seen := self._note(each))], False, began)
            if not page.metadata.continue_token:
                break
            query["continue"] = page.metadata.continue_token
        self._version = page.metadata.resource_version
        yield Batch([self._forget(uid) for uid in self._known.keys() - there], True, began)

    async def _watch(self) -> AsyncGenerator[Batch[T], None]:
        """Until it is time to list again."""
        now = asyncio.get_running_loop().time
        until = now() + self._timing.resync_s
        while (left := until - now()) > 0:
            seconds = min(left, self._timing.watch_s * (0.8 + 0.4 * self._rng.random()))
            async with aclosing(self._watch_once(max(1, round(seconds)))) as watched:
                async for batch in watched:
                    yield batch

    async def _watch_once(self, seconds: int) -> AsyncGenerator[Batch[T], None]:
        query = {
            **self._query,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": seconds,
        }
        late = seconds + self._timing.late_s
        async with self._api.lines(self._path, query, silent_s=self._timing.silent_s, within_s=late) as chunks:
            async for lines in chunks:
                self._failures = 0
                seen = [change for line in lines if (change := self._take(line))]
                if seen:
                    yield Batch(seen, False, 0.0)

    def _take(self, line: bytes) -> Seen[T] | None:
        try:
            change = _LINE.decode(line)
        except msgspec.DecodeError as error:
            raise Transient(f"watch {self._path}: a line that cannot be read: {error}") from error
        if change.type == "BOOKMARK":
            self._version = _BOOKMARK.decode(change.object).metadata.resource_version
            return None
        if change.type == "ERROR":
            raise _broken(bytes(change.object), self._path)
        sighting = self._sight(change.object)
        if sighting is None:
            return None
        self._version = sighting.version
        if change.type == "DELETED":
            self._known.pop(sighting.uid, None)
            return Seen(sighting.item, gone=True)
        return self._note(sighting)

    def _sight(self, raw: Raw) -> Sighting[T] | None:
        """One object that cannot be read must not blind us for the others."""
        try:
            return self._read(raw)
        except msgspec.DecodeError as error:
            log.error("an object that cannot be read is passed over", extra={"path": self._path, "why": str(error)})
            return None

    def _note(self, sighting: Sighting[T]) -> Seen[T] | None:
        """What is news about it."""
        before = self._known.get(sighting.uid)
        if before is not None and before[0] == sighting.version:
            return None
        self._known[sighting.uid] = (sighting.version, sighting.item)
        return Seen(sighting.item, gone=False)

    def _forget(self, uid: str) -> Seen[T]:
        return Seen(self._known.pop(uid)[1], gone=True)

    async def _pause(self) -> None:
        whole = min(self._timing.longest_pause_s, self._timing.first_pause_s * 2.0 ** min(self._failures, 20))
        self._failures += 1
        await asyncio.sleep(whole * (0.5 + 0.5 * self._rng.random()))


def _broken(status: bytes, path: str) -> Exception:
    code = msgspec.json.decode(status, type=_Code).code
    return translate(Answer(code or 500, status), f"watch {path}")


class _Code(Struct):
    code: int = 0
