"""From files to objects. An object appears whole or not at all, and is asked for again after it was stored: only then it counts."""

import asyncio
import base64
import mimetypes
import os
from pathlib import Path
from typing import Any, Final

from osmo_storage.at_once import each
from osmo_storage.local_files import Found, KeyFilter, open_file, read_file, walk
from osmo_storage.pace import parts
from osmo_storage.progress import Progress
from osmo_storage.s3.checksums import digest, etag_of, file_has, plain
from osmo_storage.s3.connection import Connection
from osmo_storage.s3.errors import UploadLost
from osmo_storage.s3.listing import head_object, listed
from osmo_storage.s3.verifying import Sent, verify
from osmo_storage.stored import StorageError, StorageRefused, Transferred

_BEGINNINGS: Final = 3
"""Of one multipart upload, where the server loses what it was given."""
_ABORT_WITHIN_S: Final = 10.0
_VERIFIED_TOGETHER: Final = 2000


async def upload(
    connection: Connection, directory: Path, wanted: KeyFilter, progress: Progress, *, resume: bool = False
) -> Transferred:
    """With `resume`, what is there already with the same content is not sent again."""
    found = await asyncio.to_thread(walk, directory, wanted)
    files = [entry for entry in found if entry.regular]
    prefix = connection.location.prefix
    _check_names(files)
    there = await _there(connection, wanted) if resume and files else {}
    total = Transferred(skipped=tuple(entry.key for entry in found if not entry.regular))
    sent: list[Sent] = []

    async def one(file: Found) -> None:
        nonlocal total
        size = await _already(connection, file, there.get(prefix + file.key))
        if size is None:
            sent.append(await _Sending(connection, file, prefix + file.key).send())
            size = sent[-1].size
        total = total.and_one(size)
        progress(total)

    for start in range(0, len(files), _VERIFIED_TOGETHER):
        await each(files[start : start + _VERIFIED_TOGETHER], one, connection.pace.at_once)
        await verify(connection, sent)
        sent.clear()
    return total


def _check_names(files: list[Found]) -> None:
    """Before anything is sent: keys are text, names of files need not be."""
    for file in files:
        try:
            file.key.encode()
        except UnicodeEncodeError:
            raise StorageRefused(
                f"the name of {os.fsencode(file.path)!r} is no UTF-8: it cannot be a key", "storage.bad_key"
            ) from None


async def _there(connection: Connection, wanted: KeyFilter) -> dict[str, tuple[int, str]]:
    return {entry.key: (entry.size, entry.etag) async for entry in listed(connection, wanted)}


async def _already(connection: Connection, file: Found, there: tuple[int, str] | None) -> int | None:
    """The size of a file that is stored already as it is now, else None."""
    if there is None or there[0] != file.size:
        return None
    size, etag = there
    same = await asyncio.to_thread(file_has, file.path, size, etag, connection.pace.part_size(size))
    return size if same else None


class _Sending:
    """One file on its way. It is sent as long as it is when its turn comes."""

    def __init__(self, connection: Connection, file: Found, key: str) -> None:
        self._connection = connection
        self._client = connection.client
        self._file = file
        self._key = key
        self._object = {"Bucket": connection.bucket, "Key": key}
        self._name = connection.name(key)

    async def send(self) -> Sent:
        opened = await open_file(self._file.path)
        try:
            size = os.fstat(opened).st_size
            part = self._connection.pace.part_size(size)
            if size <= part:
                etag, answered = await self._whole(opened, size)
            else:
                etag, answered = await self._in_parts(opened, size, part)
        finally:
            os.close(opened)
        return Sent(self._file.path, self._key, size, etag, plain(answered.get("ETag", "")))

    async def _read(self, opened: int, start: int, length: int) -> bytes:
        return await read_file(opened, self._file.path, start, length)

    async def _whole(self, opened: int, size: int) -> tuple[str, dict[str, Any]]:
        async with self._connection.memory.held(size):
            data = await self._read(opened, 0, size)
            md5 = digest(data)
            asked = {**self._object, "Body": data, "ContentMD5": _text(md5), "ContentType": _content_type(self._key)}
            answer = await self._connection.request(
                f"store {self._name}", lambda: self._client.put_object(**asked), size=size
            )
        return etag_of([md5], multipart=False), answer

    async def _in_parts(self, opened: int, size: int, part: int) -> tuple[str, dict[str, Any]]:
        for beginning in range(1, _BEGINNINGS + 1):
            try:
                return await self._once_in_parts(opened, size, part)
            except UploadLost:
                if beginning == _BEGINNINGS:
                    raise
                await self._connection.pause(beginning)
        raise AssertionError("unreachable: the last beginning returns or raises")

    async def _once_in_parts(self, opened: int, size: int, part: int) -> tuple[str, dict[str, Any]]:
        begun = await self._connection.request(
            f"store {self._name}",
            lambda: self._client.create_multipart_upload(**self._object, ContentType=_content_type(self._key)),
        )
        upload_id = begun["UploadId"]
        try:
            digests = await self._send_parts(opened, parts(size, part), upload_id)
            etag = etag_of(digests, multipart=True)
            return etag, await self._complete(digests, upload_id, etag)
        except BaseException:
            await self._abort(upload_id)
            raise

    async def _send_parts(self, opened: int, pieces: list[tuple[int, int]], upload_id: str) -> list[bytes]:
        digests = [b""] * len(pieces)

        async def one(number: int) -> None:
            start, length = pieces[number]
            async with self._connection.memory.held(length):
                data = await self._read(opened, start, length)
                md5 = digests[number] = digest(data)
                asked = {
                    **self._object,
                    "UploadId": upload_id,
                    "PartNumber": number + 1,
                    "Body": data,
                    "ContentMD5": _text(md5),
                }
                await self._connection.request(
                    f"store part {number + 1} of {self._name}", lambda: self._client.upload_part(**asked), size=length
                )

        await each(range(len(pieces)), one, self._connection.pace.at_once)
        return digests

    async def _complete(self, digests: list[bytes], upload_id: str, etag: str) -> dict[str, Any]:
        """Where the answer was lost on its way, the server knows no such upload when it is asked again, but the object is there."""
        listed_parts = [{"PartNumber": n, "ETag": f'"{md5.hex()}"'} for n, md5 in enumerate(digests, 1)]
        asked = {**self._object, "UploadId": upload_id, "MultipartUpload": {"Parts": listed_parts}}
        try:
            answer: dict[str, Any] = await self._connection.request(
                f"store {self._name}", lambda: self._client.complete_multipart_upload(**asked)
            )
        except UploadLost:
            head = await head_object(self._connection, self._key)
            if plain(head.get("ETag", "")) != etag:
                raise
            return head
        return answer

    async def _abort(self, upload_id: str) -> None:
        """As good as it goes: what is left costs room and is no object."""
        asked = {**self._object, "UploadId": upload_id}
        try:
            async with asyncio.timeout(_ABORT_WITHIN_S):
                await self._connection.once(
                    f"forget {self._name}", lambda: self._client.abort_multipart_upload(**asked)
                )
        except (StorageError, TimeoutError):
            return


def _text(md5: bytes) -> str:
    return base64.b64encode(md5).decode()


def _content_type(key: str) -> str:
    return mimetypes.guess_type(key)[0] or "application/octet-stream"
