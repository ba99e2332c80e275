"""Writes of the configuration: from what is there and what is asked to the event that does it, or the reason why not."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from osmo_domain.config import ConfigRevised, RevisionDeleted, RevisionTagged
from osmo_domain.configuration.book import Book, Revision
from osmo_domain.configuration.checks import check_change
from osmo_domain.configuration.kinds import SINGLE, ConfigType, Objects
from osmo_domain.configuration.normal import default_of, normal
from osmo_domain.configuration.patch import merge_patch
from osmo_domain.configuration.refusals import refused, words
from osmo_domain.configuration.secrets import unmasked

LARGEST_BYTES = 900_000
"""Of one revision: it is one message."""


class Note(Struct, frozen=True):
    """What people say about their write."""

    description: str = ""
    tags: tuple[str, ...] = ()


def decide_put(
    book: Book,
    kind: ConfigType,
    objects: Mapping[str, Any],
    note: Note,
    *,
    registered: Collection[str] = (),
    name: str = "",
) -> ConfigRevised:
    """These objects are as given; those that are not named stay."""
    changed = {key: normal(kind, key, unmasked(value, book.objects[kind].get(key))) for key, value in objects.items()}
    if kind is ConfigType.ROLE:
        _keep_immutable(book, changed)
    return _decided(book, kind, changed, (), note, registered, name)


def decide_patch(
    book: Book, kind: ConfigType, name: str, patch: Any, note: Note, *, registered: Collection[str] = ()
) -> ConfigRevised:
    current = require(book, kind, name)
    merged = merge_patch(current, patch)
    return decide_put(book, kind, {name: merged}, note, registered=registered, name=name)


def decide_delete(
    book: Book, kind: ConfigType, name: str, note: Note, *, registered: Collection[str] = ()
) -> ConfigRevised:
    require(book, kind, name)
    if kind is ConfigType.ROLE:
        _keep_immutable(book, {name: None})
    return _decided(book, kind, {}, (name,), note, registered, name)


def decide_rename(
    book: Book, kind: ConfigType, name: str, new_name: str, note: Note, *, registered: Collection[str] = ()
) -> ConfigRevised:
    current = require(book, kind, name)
    if new_name in book.objects[kind]:
        raise refused("exists", f"There is a {words(kind)} {new_name} already.")
    changed = {new_name: normal(kind, new_name, {**current, "name": new_name})}
    return _decided(book, kind, changed, (name,), note, registered, new_name)


def decide_rollback(
    book: Book, kind: ConfigType, number: int, note: Note, *, registered: Collection[str] = ()
) -> ConfigRevised:
    """Everything of the type is as it was after that revision."""
    require_revision(book, kind, number)
    then, now = book.data_at(kind, number), book.objects[kind]
    changed = {name: value for name, value in then.items() if now.get(name) != value}
    deleted = tuple(name for name in now if name not in then)
    said = Note(note.description or f"Roll back to {kind}:{number}", note.tags)
    return _decided(book, kind, changed, deleted, said, registered, "")


def decide_tags(
    book: Book, kind: ConfigType, number: int, add: tuple[str, ...], remove: tuple[str, ...]
) -> RevisionTagged:
    require_revision(book, kind, number)
    if not add and not remove:
        raise refused("no_tags", "Name at least one tag to set or to delete.")
    return RevisionTagged(kind.value, number, add, remove)


def decide_delete_revision(book: Book, kind: ConfigType, number: int) -> RevisionDeleted:
    require_revision(book, kind, number)
    if number == book.newest(kind):
        raise refused("current_revision", f"{kind}:{number} is the current revision, which cannot be deleted.")
    return RevisionDeleted(kind.value, number)


def require(book: Book, kind: ConfigType, name: str) -> Any:
    """The object; a single one (SERVICE, WORKFLOW) is there before anybody wrote it."""
    found = book.objects[kind].get(name)
    if found is None and kind in SINGLE:
        return default_of(kind)
    if found is None:
        raise refused("unknown", f"There is no {words(kind)} {name[:200]}.")
    return found


def require_revision(book: Book, kind: ConfigType, number: int) -> Revision:
    found = book.revision(kind.value, number)
    if found is None:
        raise refused("unknown_revision", f"There is no revision {kind}:{number}.")
    if found.deleted:
        raise refused("deleted_revision", f"Revision {kind}:{number} was deleted.")
    return found


def _decided(
    book: Book,
    kind: ConfigType,
    changed: Mapping[str, Any],
    deleted: tuple[str, ...],
    note: Note,
    registered: Collection[str],
    name: str,
) -> ConfigRevised:
    check_change(_after(book.objects, kind, changed, deleted), kind, changed, deleted, registered)
    encoded = {key: Raw(msgspec.json.encode(value)) for key, value in changed.items()}
    if sum(map(len, encoded.values())) > LARGEST_BYTES:
        raise refused("too_large", f"One write may hold {LARGEST_BYTES} bytes: write the {words(kind)}s one by one.")
    return ConfigRevised(kind.value, encoded, deleted, name, note.description, note.tags)


def after(book: Book, event: ConfigRevised) -> Objects:
    """All objects as they will be when this is appended."""
    changed = {name: msgspec.json.decode(value) for name, value in event.objects.items()}
    return _after(book.objects, ConfigType(event.config_type), changed, event.deleted)


def _after(objects: Objects, kind: ConfigType, changed: Mapping[str, Any], deleted: tuple[str, ...]) -> Objects:
    kept = {key: value for key, value in objects[kind].items() if key not in deleted}
    return {**objects, kind: {**kept, **changed}}


def _keep_immutable(book: Book, changed: Mapping[str, Any]) -> None:
    for name, value in changed.items():
        current = book.objects[ConfigType.ROLE].get(name)
        if current is not None and current.get("immutable") and value != current:
            raise refused("immutable_role", f"The role {name} cannot be changed.")
