"""Bytes of an object, whole or a part of it."""

from typing import Any

from osmo_storage.s3.connection import Connection
from osmo_storage.stored import StorageError


async def read_piece(connection: Connection, key: str, start: int, length: int, size: int, etag: str = "") -> bytes:
    """These bytes of an object of that size, of the version that the ETag names where one is given."""
    asked: dict[str, Any] = {"Bucket": connection.bucket, "Key": key}
    if length != size:
        asked["Range"] = f"bytes={start}-{start + length - 1}"
    if etag:
        asked["IfMatch"] = etag

    async def read() -> bytes:
        answer = await connection.client.get_object(**asked)
        async with answer["Body"] as body:
            data: bytes = await body.read()
        if len(data) != length:
            raise StorageError(f"read {connection.name(key)}: {len(data)} bytes came instead of {length}")
        return data

    return await connection.request(f"read {connection.name(key)}", read, size=length)
