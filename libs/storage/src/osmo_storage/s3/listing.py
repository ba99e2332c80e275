"""What lies below a place, page by page."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from osmo_storage.local_files import KeyFilter
from osmo_storage.s3.connection import Connection
from osmo_storage.stored import StorageRefused, StoredObject
from osmo_storage.uri import S3Location


@dataclass(frozen=True, slots=True)
class Listed:
    """`key` is whole; `relative` is what it is below the place that was asked for."""

    key: str
    relative: str
    size: int
    etag: str


async def list_objects(connection: Connection, wanted: KeyFilter) -> list[StoredObject]:
    found = [StoredObject(each.relative, each.size) async for each in listed(connection, wanted)]
    return sorted(found, key=lambda each: each.key)


async def listed(connection: Connection, wanted: KeyFilter) -> AsyncIterator[Listed]:
    """The object that the place itself names, whatever is wanted, or else all that lie below it and are wanted. Keys that end in a slash are no objects."""
    single = await named_object(connection, connection.location)
    if single is not None:
        yield single
        return
    prefix = connection.location.prefix
    async for page in _pages(connection, prefix):
        for entry in page.get("Contents", ()):
            relative = entry["Key"][len(prefix) :]
            if relative and not relative.endswith("/") and wanted(relative):
                yield Listed(entry["Key"], relative, entry["Size"], entry.get("ETag", ""))


async def named_object(connection: Connection, location: S3Location) -> Listed | None:
    """The object that the place names, if it names one. Who may not look at single objects may still list."""
    if location.is_prefix or not location.key:
        return None
    try:
        head = await head_object(connection, location.key)
    except StorageRefused as refused:
        if refused.code in ("storage.no_object", "storage.access_denied"):
            return None
        raise
    return Listed(location.key, location.key.rpartition("/")[2], head["ContentLength"], head.get("ETag", ""))


async def head_object(connection: Connection, key: str) -> dict[str, Any]:
    client, bucket = connection.client, connection.bucket
    head: dict[str, Any] = await connection.request(
        f"look at {connection.name(key)}", lambda: client.head_object(Bucket=bucket, Key=key)
    )
    return head


async def _pages(connection: Connection, prefix: str) -> AsyncIterator[dict[str, Any]]:
    asked = {"Bucket": connection.bucket, "Prefix": prefix}
    while True:
        page = await _page(connection, asked)
        yield page
        if not page.get("IsTruncated"):
            return
        asked = {**asked, "ContinuationToken": page["NextContinuationToken"]}


async def page_after(connection: Connection, prefix: str, key: str) -> list[Listed]:
    """The next objects below the prefix behind this key, in the order of keys, at most a page of them; empty where there is none any more."""
    page = await _page(
        connection, {"Bucket": connection.bucket, "Prefix": prefix, **({"StartAfter": key} if key else {})}
    )
    return [
        Listed(entry["Key"], entry["Key"][len(prefix) :], entry["Size"], entry.get("ETag", ""))
        for entry in page.get("Contents", ())
    ]


async def _page(connection: Connection, asked: dict[str, str]) -> dict[str, Any]:
    page: dict[str, Any] = await connection.request(
        f"list {connection.name(asked['Prefix'])}", lambda: connection.client.list_objects_v2(**asked)
    )
    return page
