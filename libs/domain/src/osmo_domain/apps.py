"""Apps: specs that are kept under a name, in versions. Events, their fold, and what may be done to an app by whom.

All apps together are one registry, because a name belongs to one app: whoever decides knows every commit up to `Apps.seq`, and appends behind
exactly that.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct, field

from osmo_domain.commit import CommitCodec
from osmo_domain.errors import Rejected

NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,200}")
_REFERENCE: Final = re.compile(rf"({NAME.pattern})(?::([0-9]{{1,9}}))?")


class AppCreated(Struct, frozen=True, omit_defaults=True, tag="app.created"):
    name: str
    owner: str
    description: str
    at: datetime


class AppVersionAdded(Struct, frozen=True, omit_defaults=True, tag="app.version_added"):
    """`blob` is the digest of the spec's text."""

    version: int
    created_by: str
    at: datetime
    blob: str


class AppVersionsDeleted(Struct, frozen=True, omit_defaults=True, tag="app.versions_deleted"):
    versions: tuple[int, ...]
    at: datetime


class AppRenamed(Struct, frozen=True, omit_defaults=True, tag="app.renamed"):
    name: str
    at: datetime


AppEvent = AppCreated | AppVersionAdded | AppVersionsDeleted | AppRenamed
APP_CODEC: CommitCodec[AppEvent] = CommitCodec(AppEvent)


class VersionStatus(StrEnum):
    """The reference's words. A version is READY from its first moment here: its text is stored before it is told of."""

    PENDING = "PENDING"
    READY = "READY"
    PENDING_DELETE = "PENDING_DELETE"
    DELETED = "DELETED"


class AppVersion(Struct):
    version: int
    created_by: str
    created_at: datetime
    blob: str
    status: VersionStatus = VersionStatus.READY


class App(Struct):
    """`versions` count from 1 and stay, also when they are deleted: their numbers are never used again."""

    uuid: str
    name: str
    owner: str
    description: str
    created_at: datetime
    versions: list[AppVersion] = field(default_factory=list)

    @property
    def ready(self) -> list[AppVersion]:
        return [version for version in self.versions if version.status is VersionStatus.READY]

    def version(self, number: int | None = None) -> AppVersion:
        """A version that can be used; the latest where none is named. Refused with `app.no_version`."""
        if number is None:
            if self.ready:
                return self.ready[-1]
            raise Rejected("app.no_version", f"App {self.name} has no version left.")
        for version in self.ready:
            if version.version == number:
                return version
        raise Rejected("app.no_version", f"Version {number} of app {self.name} is not available.")


class Apps(Struct):
    """Every app, folded up to position `seq`. Changed in place by `apply_app_event`."""

    by_uuid: dict[str, App] = field(default_factory=dict)
    by_name: dict[str, App] = field(default_factory=dict)
    seq: int = 0

    def find(self, name: str) -> App:
        """Refused with `app.unknown`."""
        app = self.by_name.get(name)
        if app is None:
            raise Rejected("app.unknown", f"App {name[:200]} does not exist.")
        return app


def parse_app(text: str) -> tuple[str, int | None]:
    """Name and version of `name[:version]`. Refused with `app.name`."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise Rejected("app.name", f'"{text[:200]}" is not an app: name or name:version.')
    return found[1], int(found[2]) if found[2] else None


def apply_app_event(apps: Apps, uuid: str, event: AppEvent) -> None:
    """Fold one event of the app with this uuid. What concerns an app that has no beginning is passed over."""
    if isinstance(event, AppCreated):
        app = App(uuid, event.name, event.owner, event.description, event.at)
        apps.by_uuid[uuid] = apps.by_name[event.name] = app
        return
    known = apps.by_uuid.get(uuid)
    if known is None:
        return
    match event:
        case AppVersionAdded():
            known.versions.append(AppVersion(event.version, event.created_by, event.at, event.blob))
        case AppVersionsDeleted():
            for version in known.versions:
                if version.version in event.versions:
                    version.status = VersionStatus.DELETED
        case AppRenamed():
            apps.by_name.pop(known.name, None)
            known.name = event.name
            apps.by_name[event.name] = known


def decide_create(apps: Apps, name: str, description: str, user: str, blob: str, now: datetime) -> list[AppEvent]:
    """A new app with its first version. Refused with `app.name`, `app.exists` or `app.no_description`."""
    _check_free(apps, name)
    if not description.strip():
        raise Rejected("app.no_description", f"App {name} needs a description.")
    return [AppCreated(name, user, description, now), AppVersionAdded(1, user, now, blob)]


def decide_update(app: App, user: str, blob: str, now: datetime) -> list[AppEvent]:
    """One version more; anybody may."""
    return [AppVersionAdded(len(app.versions) + 1, user, now, blob)]


def decide_delete(app: App, user: str, version: int | None, now: datetime, *, every: bool) -> list[AppEvent]:
    """One version, or every one that is left. The name stays taken. Refused with `app.what`, `app.not_owner` or `app.no_version`."""
    if every == (version is not None):
        raise Rejected("app.what", "Say which version to delete, or that all are to go.")
    _check_owner(app, user)
    versions = tuple(one.version for one in app.ready) if every else (app.version(version).version,)
    return [AppVersionsDeleted(versions, now)] if versions else []


def decide_rename(apps: Apps, app: App, name: str, user: str, now: datetime) -> list[AppEvent]:
    """Refused with `app.not_owner`, `app.name` or `app.exists`."""
    _check_owner(app, user)
    if name == app.name:
        return []
    _check_free(apps, name)
    return [AppRenamed(name, now)]


def _check_free(apps: Apps, name: str) -> None:
    if not NAME.fullmatch(name):
        raise Rejected("app.name", f'"{name[:200]}" cannot be the name of an app: letters, digits, "-" and "_".')
    if name in apps.by_name:
        raise Rejected("app.exists", f"There is an app {name} already.")


def _check_owner(app: App, user: str) -> None:
    if app.owner != user:
        raise Rejected("app.not_owner", f"App {app.name} belongs to {app.owner}: only its owner may do this.")
