"""Answers about apps, as the wire has them."""

from datetime import datetime

from msgspec import Struct


class AppEntry(Struct, frozen=True):
    """An app in a list. `latest_version` is the newest that is READY."""

    uuid: str
    name: str
    description: str
    created_date: datetime
    owner: str
    latest_version: int


class AppListAnswer(Struct, frozen=True):
    apps: list[AppEntry]
    more_entries: bool


class AppVersionEntry(Struct, frozen=True):
    version: int
    created_by: str
    created_date: datetime
    status: str


class AppAnswer(Struct, frozen=True):
    uuid: str
    name: str
    description: str
    created_date: datetime
    owner: str
    versions: list[AppVersionEntry]


class AppUpdatedAnswer(Struct, frozen=True):
    """The version that an update made."""

    uuid: str
    version: int
    name: str
    created_by: str
    created_date: datetime


class AppVersionsAnswer(Struct, frozen=True):
    """The versions that were deleted."""

    versions: list[int]
