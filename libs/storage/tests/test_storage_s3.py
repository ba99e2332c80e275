"""What is of S3 alone: parts, checksums, resuming, keys and rights, and lines and servers that break."""

import asyncio
import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from tests.object_storage import BadLine, ObjectServer, free_port, object_server

from osmo_storage import (
    Direction,
    Pace,
    S3Location,
    StorageAccess,
    StorageError,
    StorageRefused,
    Transferred,
    check_bucket,
    download,
    list_objects,
    upload,
)
from osmo_storage.pace import MIB, parts
from osmo_storage.s3.connection import addressing_style

PARTS = Pace(attempts=6, part_bytes=5 * MIB, first_pause_s=0.02, longest_pause_s=0.3, connect_s=2, patience_s=10)


def access_to(server: ObjectServer, bucket: str, **more: str) -> StorageAccess:
    return StorageAccess({f"s3://{bucket}": server.keys(**more)})


def written(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


def uploads_begun(server: ObjectServer, bucket: str) -> list[Any]:
    listed: list[Any] = server.client().list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return listed


async def test_a_large_file_travels_in_parts_and_comes_back_equal(
    s3: ObjectServer, bucket: str, tmp_path: Path
) -> None:
    source = written(tmp_path / "out/model", 23 * MIB + 17)
    access = access_to(s3, bucket)
    await upload(tmp_path / "out", f"s3://{bucket}/m", access=access, pace=PARTS)
    head = s3.client().head_object(Bucket=bucket, Key="m/model")
    assert head["ETag"].strip('"').endswith("-5")
    await download(f"s3://{bucket}/m", tmp_path / "in", access=access, pace=PARTS)
    assert (tmp_path / "in/model").read_bytes() == source.read_bytes()
    assert uploads_begun(s3, bucket) == []


def test_parts_grow_where_there_would_be_too_many() -> None:
    assert PARTS.part_size(5 * MIB) == 5 * MIB
    for size in (49_999 * MIB, 50_001 * MIB, 5 << 40):
        part = PARTS.part_size(size)
        assert part % MIB == 0
        assert -(-size // part) <= 10_000
    assert parts(0, 5) == [(0, 0)]
    assert parts(11, 5) == [(0, 5), (5, 5), (10, 1)]


async def test_what_is_there_already_is_not_moved_again_with_resume(
    s3: ObjectServer, bucket: str, tmp_path: Path
) -> None:
    for name, size in (("small", 100), ("changes", 100), ("large", 12 * MIB)):
        written(tmp_path / "out" / name, size)
    uri = f"s3://{bucket}/r"
    async with BadLine(s3.port) as line:
        access = access_to(s3, bucket, override_url=line.url)
        await upload(tmp_path / "out", uri, access=access, pace=PARTS)
        written(tmp_path / "out/changes", 100)
        line.cuts = [8 * MIB] * 40  # would not be enough for the large file
        before = line.bytes
        assert (await upload(tmp_path / "out", uri, access=access, pace=PARTS, resume=True)).files == 3
        assert line.bytes - before < MIB
        await download(uri, tmp_path / "in", access=access, pace=PARTS)
        (tmp_path / "in/small").write_bytes(b"x" * 100)
        before = line.bytes
        assert (await download(uri, tmp_path / "in", access=access, pace=PARTS, resume=True)).files == 3
        assert line.bytes - before < MIB
    for name in ("small", "changes", "large"):
        assert (tmp_path / "in" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


async def test_connections_that_break_in_the_middle_lose_nothing(s3: ObjectServer, bucket: str, tmp_path: Path) -> None:
    source = written(tmp_path / "out/large", 16 * MIB)
    for number in range(20):
        written(tmp_path / f"out/small{number}", 1000)
    async with BadLine(s3.port) as line:
        access = access_to(s3, bucket, override_url=line.url)
        line.cuts = [300, 1500, 2 * MIB, 40_000, 4 * MIB, 10]
        assert (await upload(tmp_path / "out", f"s3://{bucket}/cut", access=access, pace=PARTS)).files == 21
        line.cuts = [600, 3 * MIB, 1200, 100_000, 2 * MIB, 10]
        assert (await download(f"s3://{bucket}/cut", tmp_path / "in", access=access, pace=PARTS)).files == 21
    assert (tmp_path / "in/large").read_bytes() == source.read_bytes()
    assert not list((tmp_path / "in").glob(".osmo-part-*"))


async def test_a_line_that_is_cut_for_ever_is_an_error_that_names_the_object(
    s3: ObjectServer, bucket: str, tmp_path: Path, quick: Pace
) -> None:
    written(tmp_path / "out/a", 10)
    async with BadLine(s3.port) as line:
        line.open = False
        access = access_to(s3, bucket, override_url=line.url)
        with pytest.raises(StorageError, match=f"s3://{bucket}/x/a: the connection broke") as broken:
            await upload(tmp_path / "out", f"s3://{bucket}/x", access=access, pace=quick)
        assert broken.value.code == "storage.unreachable"
        assert line.connections >= quick.attempts
    nowhere = access_to(s3, bucket, override_url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StorageError, match="the server cannot be reached"):
        await download(f"s3://{bucket}/x", tmp_path / "in", access=nowhere, pace=quick)


async def test_a_slow_line_is_waited_for_and_a_silent_server_is_not(
    s3: ObjectServer, bucket: str, tmp_path: Path
) -> None:
    written(tmp_path / "out/a", 600_000)
    async with BadLine(s3.port) as line:
        access = access_to(s3, bucket, override_url=line.url)
        pace = Pace(attempts=2, first_pause_s=0.02, connect_s=2, patience_s=1)
        line.bytes_per_s = 300_000
        await upload(tmp_path / "out", f"s3://{bucket}/slow", access=access, pace=pace)
        line.bytes_per_s, line.silent = 0, True
        with pytest.raises(StorageError, match="does not answer in time"):
            await download(f"s3://{bucket}/slow", tmp_path / "in", access=access, pace=pace)


async def test_a_server_that_dies_in_the_middle_and_has_lost_all_is_given_all(tmp_path: Path) -> None:
    """moto keeps everything in memory: after the restart the parts that were stored are gone, too. It calls that an error of its own (500)
    and not NoSuchUpload, so the first call ends, and the second one, which a control container makes, begins anew."""

    async def tried(access: StorageAccess) -> Transferred:
        with contextlib.suppress(StorageError):
            return await upload(tmp_path / "out", "s3://bucket/x", access=access, pace=pace)
        return await upload(tmp_path / "out", "s3://bucket/x", access=access, pace=pace, resume=True)

    source = written(tmp_path / "out/large", 60 * MIB)
    pace = Pace(
        attempts=12, part_bytes=5 * MIB, memory_bytes=5 * MIB, first_pause_s=0.05, longest_pause_s=0.5, patience_s=20
    )
    with object_server() as server:
        server.make_bucket("bucket")
        async with BadLine(server.port) as line:
            access = access_to(server, "bucket", override_url=line.url)
            uploading = asyncio.create_task(tried(access))
            while line.bytes < 15 * MIB and not uploading.done():
                await asyncio.sleep(0.01)
            assert not uploading.done()
            line.open = False
            line.cut()
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            server.make_bucket("bucket")
            line.open = True
            assert await uploading == Transferred(60 * MIB, 1)
            stored = server.client().get_object(Bucket="bucket", Key="x/large")["Body"].read()
            assert hashlib.sha256(stored).digest() == hashlib.sha256(source.read_bytes()).digest()


async def test_who_gives_up_leaves_no_parts_on_the_server(s3: ObjectServer, bucket: str, tmp_path: Path) -> None:
    written(tmp_path / "out/large", 30 * MIB)
    async with BadLine(s3.port) as line:
        line.bytes_per_s = 5_000_000
        access = access_to(s3, bucket, override_url=line.url)
        uploading = asyncio.create_task(upload(tmp_path / "out", f"s3://{bucket}/x", access=access, pace=PARTS))
        while not uploads_begun(s3, bucket):
            await asyncio.sleep(0.02)
        line.bytes_per_s = 0
        uploading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await uploading
    assert uploads_begun(s3, bucket) == []
    assert await list_objects(f"s3://{bucket}", access=access_to(s3, bucket)) == []


async def test_an_upload_counts_only_when_the_server_has_the_same_bytes(
    s3: ObjectServer, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else writes to the same keys between our storing and our asking."""
    from osmo_storage.s3 import uploading, verifying

    async def with_intruder(connection: Any, sent: Any) -> None:
        s3.client().put_object(Bucket=bucket, Key=sent[-1].key, Body=b"not" + b"!" * (sent[-1].size - 3))
        await verifying.verify(connection, sent)

    monkeypatch.setattr(uploading, "verify", with_intruder)
    access = access_to(s3, bucket)
    written(tmp_path / "out/a", 100)
    with pytest.raises(StorageError, match=f"s3://{bucket}/x/a was replaced by somebody else"):
        await upload(tmp_path / "out", f"s3://{bucket}/x", access=access)
    for number in range(60):
        written(tmp_path / f"out/b{number}", 100)
    with pytest.raises(StorageError, match="was replaced by somebody else"):
        await upload(tmp_path / "out", f"s3://{bucket}/x", access=access)


async def test_where_etags_are_no_checksums_the_bytes_are_read_back(
    s3: ObjectServer, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on servers that encrypt with a customer's key: here what we take for the checksum is made wrong."""
    from osmo_storage.s3 import uploading

    monkeypatch.setattr(uploading, "etag_of", lambda *_, **__: "0" * 32)
    access = access_to(s3, bucket)
    written(tmp_path / "out/small", 100)
    written(tmp_path / "out/large", 11 * MIB)
    assert (await upload(tmp_path / "out", f"s3://{bucket}/x", access=access, pace=PARTS)).files == 2


async def test_a_file_that_shrinks_meanwhile_is_an_error(s3: ObjectServer, bucket: str, tmp_path: Path) -> None:
    file = written(tmp_path / "out/log", 30 * MIB)
    async with BadLine(s3.port) as line:
        line.bytes_per_s = 10_000_000
        access = access_to(s3, bucket, override_url=line.url)
        pace = Pace(part_bytes=5 * MIB, memory_bytes=5 * MIB)
        uploading = asyncio.create_task(upload(tmp_path / "out", f"s3://{bucket}/x", access=access, pace=pace))
        while not uploads_begun(s3, bucket):
            await asyncio.sleep(0.02)
        os.truncate(file, 10)
        with pytest.raises(StorageError, match="log shrank"):
            await uploading
    assert await list_objects(f"s3://{bucket}", access=access_to(s3, bucket)) == []


async def test_a_name_that_is_no_text_is_refused_before_anything_is_sent(
    s3: ObjectServer, bucket: str, tmp_path: Path
) -> None:
    written(tmp_path / "out/a", 1)
    (tmp_path / "out" / os.fsdecode(b"b\xff")).write_text("x")
    with pytest.raises(StorageRefused, match="is no UTF-8"):
        await upload(tmp_path / "out", f"s3://{bucket}/x", access=access_to(s3, bucket))
    assert await list_objects(f"s3://{bucket}", access=access_to(s3, bucket)) == []


@pytest.mark.parametrize("key", ["x/../../escaped", "x//absolute", "x/./dot"])
async def test_a_key_that_would_leave_the_directory_is_refused(
    s3: ObjectServer, bucket: str, tmp_path: Path, key: str
) -> None:
    s3.client().put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.client().put_object(Bucket=bucket, Key="x/good", Body=b"x")
    s3.client().put_object(Bucket=bucket, Key="x/folder/", Body=b"")
    access = access_to(s3, bucket)
    with pytest.raises(StorageRefused, match="cannot be a path"):
        await download(f"s3://{bucket}/x", tmp_path / "in", access=access)
    assert (await download(f"s3://{bucket}/x", tmp_path / "in", regex="good", access=access)).files == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["good", "in"]


async def test_more_small_files_than_one_page_of_a_list_holds(s3: ObjectServer, bucket: str, tmp_path: Path) -> None:
    for number in range(1_200):
        path = tmp_path / f"out/{number % 10}/{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    access, uri = access_to(s3, bucket), f"s3://{bucket}/many"
    assert (await upload(tmp_path / "out", uri, access=access)).files == 1_200
    assert len(await list_objects(uri, access=access)) == 1_200
    assert (await download(uri, tmp_path / "in", regex="7/", access=access)).files == 120
    assert (tmp_path / "in/7/1067").read_text() == "1067"


# Who may what


async def test_every_wrong_key_gets_its_own_words_at_once(
    s3: ObjectServer, bucket: str, tmp_path: Path, quick: Pace
) -> None:
    written(tmp_path / "out/a", 10)
    reader, writer = s3.user("reader", "s3:ListBucket", "s3:GetObject"), s3.user("writer", "s3:*")
    cases = (
        ({**writer, "access_key_id": "NOBODYS-KEY-ID"}, "does not know the access_key_id", "storage.bad_keys"),
        ({**writer, "access_key": "wrong-wrong-wrong"}, "does not belong to the access_key_id", "storage.bad_keys"),
        (reader, "access denied", "storage.access_denied"),
    )
    with s3.rights_enforced():
        for keys, words, code in cases:
            with pytest.raises(StorageRefused, match=f"s3://{bucket}/x/a: .*{words}") as refused:
                await upload(
                    tmp_path / "out", f"s3://{bucket}/x", access=StorageAccess({f"s3://{bucket}": keys}), pace=quick
                )
            assert refused.value.code == code
            assert keys["access_key"] not in str(refused.value)
        await upload(tmp_path / "out", f"s3://{bucket}/x", access=StorageAccess({f"s3://{bucket}": writer}), pace=quick)
        got = await download(
            f"s3://{bucket}/x", tmp_path / "in", access=StorageAccess({f"s3://{bucket}": reader}), pace=quick
        )
        assert got.files == 1


async def test_a_bucket_that_is_not_there_is_said_at_once(s3: ObjectServer, tmp_path: Path, quick: Pace) -> None:
    written(tmp_path / "out/a", 10)
    access = access_to(s3, "missing")
    for attempt in (
        upload(tmp_path / "out", "s3://missing/x", access=access, pace=quick),
        download("s3://missing/x", tmp_path / "in", access=access, pace=quick),
        list_objects("s3://missing", access=access, pace=quick),
    ):
        with pytest.raises(StorageRefused, match=r"s3://missing.*: there is no such bucket") as refused:
            await attempt
        assert refused.value.code == "storage.no_bucket"


async def test_keys_that_are_wrong_in_themselves_are_refused(tmp_path: Path, quick: Pace) -> None:
    for keys in ({"access_key_id": "a"}, {"access_key_id": "a", "access_key": "b", "override_url": "no url"}):
        with pytest.raises(StorageRefused) as refused:
            await list_objects("s3://bucket", access=StorageAccess({"s3://bucket": keys}), pace=quick)
        assert refused.value.code == "storage.bad_keys"


async def test_who_has_no_keys_is_nobody_or_whom_the_environment_names_if_that_may_be(
    s3: ObjectServer, bucket: str, quick: Pace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = s3.user("ambient", "s3:*")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["access_key"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    where = {"endpoint": f"s3://{bucket}", "override_url": s3.url}
    with s3.rights_enforced():
        assert await list_objects(f"s3://{bucket}", access=StorageAccess(ambient=True), pace=quick) == []
        assert (
            await list_objects(
                f"s3://{bucket}", access=StorageAccess({f"s3://{bucket}": where}, ambient=True), pace=quick
            )
            == []
        )
        with pytest.raises(StorageError):
            await list_objects(f"s3://{bucket}", access=StorageAccess({f"s3://{bucket}": where}), pace=quick)


async def test_a_server_is_checked_without_leaving_anything(s3: ObjectServer, bucket: str) -> None:
    reader = s3.user("checked-reader", "s3:ListBucket", "s3:GetObject")
    writer = s3.user("checked-writer", "s3:PutObject", "s3:AbortMultipartUpload")
    place, missing = S3Location(bucket, "not/there/yet"), S3Location("missing-bucket")
    directions: tuple[Direction, ...] = ("READ", "WRITE")

    async def problems(keys: dict[str, str], bucket: str = bucket) -> dict[str, str]:
        places = [(S3Location(bucket, place.key), direction) for direction in directions]
        found = await check_bucket(places, StorageAccess({f"s3://{bucket}": keys}))
        return {direction: error.code for (_, direction), error in found.items()}

    with s3.rights_enforced():
        assert await problems(reader) == {"WRITE": "storage.access_denied"}
        assert await problems(writer) == {"READ": "storage.access_denied"}
        assert set(await problems({"override_url": s3.url})) == {"READ", "WRITE"}
    assert await problems(s3.keys()) == {}
    assert await problems(s3.keys(), missing.bucket) == dict.fromkeys(("READ", "WRITE"), "storage.no_bucket")
    assert uploads_begun(s3, bucket) == []
    assert await list_objects(f"s3://{bucket}", access=access_to(s3, bucket)) == []


async def test_a_server_that_hangs_is_given_up_in_time(s3: ObjectServer, bucket: str) -> None:
    async with BadLine(s3.port) as line:
        line.silent = True
        began = asyncio.get_running_loop().time()
        access = access_to(s3, bucket, override_url=line.url)
        hung = await check_bucket([(S3Location(bucket), "READ"), (S3Location(bucket), "WRITE")], access, within_s=0.5)
        assert [error.code for error in hung.values()] == ["storage.unreachable"] * 2
        assert asyncio.get_running_loop().time() - began < 3


@pytest.mark.parametrize(
    ("url", "written_style", "style"),
    [
        ("", "", "auto"),
        ("", "path", "path"),
        ("https://s3.example.com", "", "virtual"),
        ("https://s3.example.com", "path", "path"),
        ("https://s3.example.com", "auto", "auto"),
        ("http://10.0.0.1:9000", "", "path"),
        ("http://[::1]:9000", "", "path"),
        ("http://minio:9000", "", "path"),
        ("http://minio.storage.svc.cluster.local", "", "path"),
        ("http://127.0.0.1:9000", "virtual", "virtual"),
    ],
)
def test_the_bucket_goes_into_the_host_where_there_is_room(url: str, written_style: str, style: str) -> None:
    assert addressing_style(url, written_style) == style
