"""Answers about apps, and where workflows that were submitted from one came from."""

from collections.abc import Sequence

from osmo_api.apps import AppAnswer, AppEntry, AppListAnswer, AppUpdatedAnswer, AppVersionEntry
from osmo_domain.apps import App, AppVersion, VersionStatus, parse_app
from osmo_domain.errors import Rejected
from osmo_gateway.apps import AppRegistry
from osmo_gateway.people import resolve_users
from osmo_gateway.times import wire_time
from osmo_views.ports import WorkflowViews


class AppReads:
    def __init__(self, registry: AppRegistry, views: WorkflowViews) -> None:
        self._registry = registry
        self._views = views

    async def page(
        self, caller: str, name: str, users: Sequence[str], *, all_users: bool, limit: int, offset: int, reverse: bool
    ) -> AppListAnswer:
        """The newest apps behind `offset` that have a version left; `reverse` turns the page around.

        Those of the named users; else, unless all are asked for, those that the caller made, added to or ever submitted.
        """
        found = [app for app in self._registry.apps.by_uuid.values() if app.ready and name in app.name]
        if users:
            owners = await resolve_users(self._views, users)
            found = [app for app in found if app.owner in {*owners, *users}]
        elif not all_users:
            used = set(await self._views.apps_used_by(caller))
            found = [app for app in found if app.uuid in used or _had_a_hand_in(app, caller)]
        found.sort(key=lambda app: (app.created_at, app.uuid), reverse=True)
        page = found[offset : offset + limit]
        return AppListAnswer(
            apps=[_entry(app) for app in (reversed(page) if reverse else page)],
            more_entries=len(found) > offset + limit,
        )

    def query(self, name: str, version: int | None, *, limit: int, reverse: bool) -> AppAnswer:
        """The app with its newest versions. One that is deleted is told of only where it is asked for by its number."""
        app = self._registry.apps.find(name)
        wanted = [one for one in app.versions if one.version == version] if version is not None else app.ready
        if version is not None and not wanted:
            raise Rejected("app.no_version", f"App {app.name} never had a version {version}.")
        page = wanted[-limit:]
        versions = [_version(one) for one in (page if reverse else reversed(page))]
        return AppAnswer(app.uuid, app.name, app.description, wire_time(app.created_at), app.owner, versions)

    def updated(self, app: App) -> AppUpdatedAnswer:
        newest = app.versions[-1]
        return AppUpdatedAnswer(app.uuid, newest.version, app.name, newest.created_by, wire_time(newest.created_at))

    def origin(self, uuid: str) -> tuple[str | None, str | None]:
        """Owner and name, as they are now, of the app that a workflow came from."""
        app = self._registry.apps.by_uuid.get(uuid)
        return (app.owner, app.name) if app is not None else (None, None)

    def check_origin(self, uuid: str, version: int) -> None:
        """Refuse a submission that names an app or a version that is not there."""
        if not uuid:
            return
        app = self._registry.apps.by_uuid.get(uuid)
        if app is None:
            raise Rejected("app.unknown", f"There is no app {uuid[:200]}.")
        app.version(version or None)

    def filter(self, text: str | None) -> tuple[str, int]:
        """Uuid and version (0 = any) that a list of workflows is asked for by `name[:version]`."""
        if not text:
            return "", 0
        name, version = parse_app(text)
        return self._registry.apps.find(name).uuid, version or 0


def _had_a_hand_in(app: App, user: str) -> bool:
    return app.owner == user or any(version.created_by == user for version in app.versions)


def _entry(app: App) -> AppEntry:
    created = wire_time(app.created_at)
    return AppEntry(app.uuid, app.name, app.description, created, app.owner, app.version().version)


def _version(version: AppVersion) -> AppVersionEntry:
    status = VersionStatus(version.status)
    return AppVersionEntry(version.version, version.created_by, wire_time(version.created_at), status.value)
