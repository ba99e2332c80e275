"""May we read or write at a place? Found out without leaving anything there."""

from typing import Literal

from osmo_storage.s3.connection import Connection
from osmo_storage.s3.listing import named_object
from osmo_storage.stored import StorageError
from osmo_storage.uri import S3Location

Direction = Literal["READ", "WRITE"]

_PROBE = ".osmo-access-check"


async def check(connection: Connection, place: S3Location, direction: Direction) -> None:
    """Raises StorageError. What is not there yet is no error, as long as its bucket is."""
    if direction == "WRITE":
        await _check_write(connection, place)
    elif await named_object(connection, place) is None:
        await _check_list(connection, place)


async def _check_list(connection: Connection, place: S3Location) -> None:
    asked = {"Bucket": connection.bucket, "Prefix": place.prefix, "MaxKeys": 1}
    await connection.request(f"list {place}", lambda: connection.client.list_objects_v2(**asked))


async def _check_write(connection: Connection, place: S3Location) -> None:
    """To begin an upload takes the same right as to finish it, and what is only begun is no object."""
    asked = {"Bucket": connection.bucket, "Key": f"{place.prefix}{_PROBE}"}
    what = f"write to {place}"
    begun = await connection.request(what, lambda: connection.client.create_multipart_upload(**asked))
    try:
        await connection.request(
            what, lambda: connection.client.abort_multipart_upload(**asked, UploadId=begun["UploadId"])
        )
    except StorageError:
        return
