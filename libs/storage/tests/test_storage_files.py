import os
from pathlib import Path

import pytest

from osmo_storage import (
    BadRegex,
    BadUri,
    StorageError,
    StoredObject,
    Transferred,
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
        ("s3://bucket/key", "storage.uri.unknown_scheme"),
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


def _fill(directory: Path, **files: str) -> None:
    for name, text in files.items():
        path = directory / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


async def test_what_was_uploaded_comes_back_equal(tmp_path: Path) -> None:
    source, target, uri = tmp_path / "out", tmp_path / "in", f"file://{tmp_path}/store/wf-1/a"
    _fill(source, one="1", deep__two="22", deep__er__three="333")
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    seen: list[Transferred] = []

    sent = await upload(source, uri, progress=seen.append)
    assert (sent.bytes, sent.files) == (16, 4)
    assert seen[-1] == sent
    assert await list_objects(uri) == [
        StoredObject("deep/er/three", 3),
        StoredObject("deep/two", 2),
        StoredObject("one", 1),
        StoredObject("run.sh", 10),
    ]
    assert await download(uri, target) == sent
    assert (target / "deep/er/three").read_text() == "333"
    assert os.access(target / "run.sh", os.X_OK)


async def test_the_filter_matches_at_the_start_of_the_relative_key(tmp_path: Path) -> None:
    _fill(tmp_path / "out", a__x="1", b__a="2", ab="3")
    await upload(tmp_path / "out", f"file://{tmp_path}/store", regex="a")
    assert [found.key for found in await list_objects(f"file://{tmp_path}/store")] == ["a/x", "ab"]
    fetched = await download(f"file://{tmp_path}/store", tmp_path / "in", regex=r".*x$")
    assert fetched.files == 1
    with pytest.raises(BadRegex):
        await upload(tmp_path / "out", f"file://{tmp_path}/store", regex="(")


async def test_an_empty_prefix_brings_no_files_and_makes_the_directory(tmp_path: Path) -> None:
    assert await download(f"file://{tmp_path}/nothing", tmp_path / "in") == Transferred()
    assert (tmp_path / "in").is_dir()
    assert await list_objects(f"file://{tmp_path}/nothing") == []
    assert await upload(tmp_path / "missing", f"file://{tmp_path}/store") == Transferred()


async def test_a_uri_of_one_object_brings_that_object_whatever_the_filter(tmp_path: Path) -> None:
    _fill(tmp_path, model="weights")
    fetched = await download(f"file://{tmp_path}/model", tmp_path / "in", regex="nothing")
    assert (fetched.files, (tmp_path / "in/model").read_text()) == (1, "weights")


async def test_links_to_files_are_followed_and_what_is_no_file_is_named(tmp_path: Path) -> None:
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
