"""The configuration with its history: the fold of the CONFIG stream that writes are decided on."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from osmo_domain.commit import Commit, UnknownEvent
from osmo_domain.config import (
    Catalogue,
    ConfigDeleted,
    ConfigEvent,
    ConfigRevised,
    ConfigSet,
    RevisionDeleted,
    RevisionTagged,
    apply_config,
    change_objects,
    known_type,
)
from osmo_domain.configuration.kinds import ConfigType, Objects, no_objects


class Revision(Struct):
    """One write of one type. `changes` are what it changed; what everything was after it is `Book.data_at`."""

    type: ConfigType
    number: int
    user: str
    at: datetime
    changes: ConfigRevised
    tags: list[str]
    deleted: bool = False


class Book(Struct):
    """Changed in place by `fold`; owned by one service. `seq` is the position in CONFIG up to which it was folded, `revised_seq` that of
    the last message of a revision subject (0: none yet): what the next write expects to stand behind."""

    catalogue: Catalogue = field(default_factory=Catalogue.empty)
    revisions: dict[ConfigType, list[Revision]] = field(default_factory=lambda: {kind: [] for kind in ConfigType})
    ever: set[tuple[ConfigType, str]] = field(default_factory=set)
    """Every type and name that there ever was."""
    seq: int = 0
    revised_seq: int = 0

    @property
    def objects(self) -> Objects:
        return self.catalogue.objects

    def fold(self, commit: Commit[ConfigEvent | UnknownEvent], seq: int, *, revision: bool) -> None:
        """One message of CONFIG; `revision` says that it stands on a revision subject."""
        for event in commit.events:
            if not isinstance(event, UnknownEvent):
                self._fold(event, commit.actor, commit.at)
        self.passed(seq, revision=revision)

    def passed(self, seq: int, *, revision: bool) -> None:
        """Nothing to be learned from the message at `seq`."""
        self.seq = self.catalogue.seq = seq
        if revision:
            self.revised_seq = seq

    def _fold(self, event: ConfigEvent, actor: str, at: datetime) -> None:
        apply_config(self.catalogue, event)
        match event:
            case ConfigRevised():
                self._remember(event, actor, at)
            case ConfigSet() | ConfigDeleted():
                self._remember_seed(event, actor, at)
            case RevisionTagged():
                if revision := self.revision(event.config_type, event.revision):
                    revision.tags = sorted({*revision.tags, *event.added} - set(event.removed))
            case RevisionDeleted():
                if revision := self.revision(event.config_type, event.revision):
                    revision.deleted = True

    def _remember_seed(self, event: ConfigSet | ConfigDeleted, actor: str, at: datetime) -> None:
        """A first object counts as a revision that set it, in the wire's shape."""
        kind = known_type(event.kind.upper())
        if kind is None:
            return
        if isinstance(event, ConfigDeleted):
            changes = ConfigRevised(kind.value, deleted=(event.name,), name=event.name)
        else:
            value = Raw(msgspec.json.encode(self.objects[kind][event.name]))
            changes = ConfigRevised(kind.value, {event.name: value}, name=event.name)
        self._remember(changes, actor, at)

    def _remember(self, changes: ConfigRevised, actor: str, at: datetime) -> None:
        kind = known_type(changes.config_type)
        if kind is None:
            return
        known = self.revisions[kind]
        known.append(Revision(kind, len(known) + 1, actor, at, changes, list(changes.tags)))
        self.ever.update((kind, name) for name in changes.objects)

    def revision(self, kind: str, number: int) -> Revision | None:
        known = self.revisions.get(ConfigType(kind), []) if kind in ConfigType.__members__ else []
        return known[number - 1] if 1 <= number <= len(known) else None

    def newest(self, kind: ConfigType) -> int:
        """The number of the type's last revision; 0 before the first."""
        return len(self.revisions[kind])

    def data_at(self, kind: ConfigType, number: int) -> dict[str, Any]:
        """Every object of the type as it was after this revision."""
        return self.data_of(kind, {number}).get(number, {})

    def data_of(self, kind: ConfigType, numbers: Collection[int]) -> dict[int, dict[str, Any]]:
        """The same for several revisions, in one pass through the history."""
        objects, found = no_objects(), {}
        for revision in self.revisions[kind][: max(numbers, default=0)]:
            change_objects(objects, kind, revision.changes)
            if revision.number in numbers:
                found[revision.number] = dict(objects[kind])
        return found

    def all_revisions(self) -> Iterator[Revision]:
        """Those that are not deleted, by time."""
        shown = (one for known in self.revisions.values() for one in known if not one.deleted)
        yield from sorted(shown, key=lambda one: (one.at, one.type, one.number))
