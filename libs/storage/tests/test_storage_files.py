import os
import subprocess
import sys
from pathlib import Path

import pytest

from osmo_storage import (
    BadUri,
    S3Location,
    StorageAccess,
    StorageError,
    StoredObject,
    download,
    list_objects,
    parse_uri,
    upload,
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "storage.uri.malformed"),
        ("/plain/path", "storage.uri.malformed"),
        ("://x", "storage.uri.malformed"),
        ("gs://bucket/key", "storage.uri.unknown_scheme"),
        ("azure://account/container", "storage.uri.unknown_scheme"),
        ("ftp://host/path", "storage.uri.unknown_scheme"),
        ("s3://", "storage.uri.bad_bucket"),
        ("s3:///key", "storage.uri.bad_bucket"),
        ("s3://bu cket/key", "storage.uri.bad_bucket"),
        ("s3://bucket//key", "storage.uri.bad_path"),
        ("s3://bucket/a/../b", "storage.uri.bad_path"),
        ("s3://bucket/a,b", "storage.uri.bad_path"),
        ("s3://bucket/a;b", "storage.uri.bad_path"),
        ("s3://bucket/*", "storage.uri.bad_path"),
        ("file://relative/path", "storage.uri.bad_path"),
        ("file:///a//b", "storage.uri.bad_path"),
        ("file:///a/../b", "storage.uri.bad_path"),
        ("file:///", "storage.uri.bad_path"),
        ("file:///a\0b", "storage.uri.bad_path"),
    ],
)
def test_a_bad_uri_is_refused_with_a_stable_code(text: str, code: str) -> None:
    with pytest.raises(BadUri) as refused:
        parse_uri(text)
    assert refused.value.code == code


@pytest.mark.parametrize("text", ["file:///a/b c", "file:///a/b c/", "file://localhost/a/b c"])
def test_a_file_uri_names_an_absolute_path_as_written(text: str) -> None:
    assert str(parse_uri(text)) == "file:///a/b c"


def test_schemes_that_exist_and_are_not_served_are_called_so() -> None:
    with pytest.raises(BadUri, match="`gs://` is not served here; what can be reached is file://, s3://"):
        parse_uri("gs://bucket/x")
    with pytest.raises(BadUri, match="there is no `http://`"):
        parse_uri("http://bucket/x")


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("s3://bucket", S3Location("bucket", "", is_prefix=True)),
        ("s3://bucket/", S3Location("bucket", "", is_prefix=True)),
        ("s3://bucket/a b/ü", S3Location("bucket", "a b/ü")),
        ("s3://bucket/a/b//", S3Location("bucket", "a/b", is_prefix=True)),
    ],
)
def test_an_s3_uri_names_a_bucket_and_a_key(text: str, location: S3Location) -> None:
    assert parse_uri(text) == location


def test_the_longest_profile_that_holds_a_place_has_its_keys() -> None:
    access = StorageAccess({"s3://b": {"access_key_id": "whole"}, "s3://b/deep/": {"access_key_id": "deep"}})
    found = {
        text: access.keys_for(parse_uri(text)).get("access_key_id")
        for text in ("s3://b/x", "s3://b/deep/x", "s3://b/deeper", "s3://bb", "file:///b")
    }
    assert found == {
        "s3://b/x": "whole",
        "s3://b/deep/x": "deep",
        "s3://b/deeper": "whole",
        "s3://bb": None,
        "file:///b": None,
    }
    assert "whole" not in repr(access)


def _fill(directory: Path, **files: str) -> None:
    for name, text in files.items():
        path = directory / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


async def test_links_become_files(tmp_path: Path) -> None:
    source = tmp_path / "out"
    _fill(source, real="data")
    (source / "link").symlink_to("real")
    (source / "loop").symlink_to(source)
    os.mkfifo(source / "pipe")
    sent = await upload(source, f"file://{tmp_path}/store")
    assert (sent.files, sent.skipped) == (2, ("loop", "pipe"))
    assert not (tmp_path / "store/link").is_symlink()


async def test_a_later_upload_replaces_and_leaves_no_parts(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/store"
    _fill(tmp_path / "out", a="old", b="stays")
    await upload(tmp_path / "out", uri)
    _fill(tmp_path / "again", a="newer")
    (tmp_path / "store/.osmo-part-crashed").write_text("half of a kill -9")
    await upload(tmp_path / "again", uri)
    assert await list_objects(uri) == [StoredObject("a", 5), StoredObject("b", 5)]


async def test_a_place_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    _fill(tmp_path / "out", a="1")
    (tmp_path / "store").write_text("a file where the prefix should be")
    with pytest.raises(StorageError, match="store"):
        await upload(tmp_path / "out", f"file://{tmp_path}/store/deeper")


async def test_a_program_stays_one(tmp_path: Path) -> None:
    _fill(tmp_path / "out", run="#!/bin/sh\n")
    (tmp_path / "out/run").chmod(0o755)
    await upload(tmp_path / "out", f"file://{tmp_path}/store")
    await download(f"file://{tmp_path}/store", tmp_path / "in")
    assert os.access(tmp_path / "in/run", os.X_OK)


def test_whoever_uses_only_files_does_not_load_the_sdk(tmp_path: Path) -> None:
    """A control container stays small."""
    program = (
        "import asyncio, sys, pathlib; from osmo_storage import upload;"
        f"asyncio.run(upload(pathlib.Path({str(tmp_path)!r}), 'file://{tmp_path}/x'));"
        "assert not [name for name in sys.modules if 'boto' in name or name == 'aiohttp']"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
