"""Entries of lists as they are kept: encoded, but for the seconds that go on. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from osmo_gateway.links import Links
from osmo_gateway.moving_json import MOVING, MovingJson, micros, moving_json
from osmo_gateway.workflow_answers import list_entry
from osmo_views.rows import WorkflowSummary

_ENCODER: Final = msgspec.json.Encoder()

Origin = tuple[str | None, str | None]
"""Owner and name of an app."""
_OF_NO_APP: Final[Mapping[str, Origin]] = {}


class Entry(Struct, frozen=True):
    """One workflow. `since` are the moments from which its moving numbers count: of what waits, or runs, one."""

    encoded: bytes
    since: tuple[int, ...]
    origins: Mapping[str, Origin]
    """The app that it came from, as it was called then."""

    @property
    def size(self) -> int:
        return len(self.encoded) + 500


class WorkflowPage(Struct, frozen=True):
    """`entries` is the JSON list of them; `origins` those of all of them."""

    entries: MovingJson
    more_entries: bool
    origins: Mapping[str, Origin]

    @property
    def size(self) -> int:
        return self.entries.size


def encoded_entry(row: WorkflowSummary, links: Links, origin: Origin) -> Entry:
    origins = {row.app_uuid: origin} if row.app_uuid else _OF_NO_APP
    entry = list_entry(row, links, row.submitted_at, origin)
    if row.ended_at is not None:
        return Entry(_ENCODER.encode(entry), (), origins)
    if row.started_at is not None:
        return Entry(_with_moving(entry, "duration"), (micros(row.started_at),), origins)
    return Entry(_with_moving(entry, "queued_time"), (micros(row.submitted_at),), origins)


def _with_moving(entry: Struct, field: str) -> bytes:
    return _ENCODER.encode(msgspec.structs.replace(entry, **{field: MOVING}))


def workflow_page(entries: Sequence[Entry], *, more_entries: bool) -> WorkflowPage:
    encoded = b"[" + b",".join([entry.encoded for entry in entries]) + b"]"
    since = [moment for entry in entries for moment in entry.since]
    origins = {uuid: origin for entry in entries for uuid, origin in entry.origins.items()}
    return WorkflowPage(moving_json(encoded, since), more_entries, origins)
