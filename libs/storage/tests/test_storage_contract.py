"""What every kind of storage promises: the same tests over a directory and over an S3-compatible server."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from osmo_storage import (
    BadRegex,
    StorageError,
    StoredObject,
    Transferred,
    download,
    list_objects,
    upload,
)

ODD = (
    "ü ñ/日本語.txt",
    "a+b & c?d=e#f%41",
    "quo'te\"s",
    "..hidden..",
    "tab\there",
    "semi;comma,star*",
    "x" * 200,
)


def fill(directory: Path, **files: str) -> Path:
    for name, text in files.items():
        path = directory / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    directory.mkdir(exist_ok=True)
    return directory


def content(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


async def test_what_was_uploaded_comes_back_equal(place: Any, tmp_path: Path) -> None:
    source = fill(tmp_path / "out", one="1", deep__two="22", deep__er__three="333", empty="")
    seen: list[Transferred] = []
    sent = await upload(source, place.uri, progress=seen.append, access=place.access)
    assert (sent.bytes, sent.files) == (6, 4)
    assert seen[-1] == sent
    assert await list_objects(place.uri, access=place.access) == [
        StoredObject("deep/er/three", 3),
        StoredObject("deep/two", 2),
        StoredObject("empty", 0),
        StoredObject("one", 1),
    ]
    assert await download(place.uri, tmp_path / "in", access=place.access) == sent
    assert content(tmp_path / "in") == content(source)


async def test_a_slash_at_the_end_of_a_uri_means_the_same_prefix(place: Any, tmp_path: Path) -> None:
    source = fill(tmp_path / "out", a="1")
    await upload(source, f"{place.uri}/deep/", access=place.access)
    assert await list_objects(f"{place.uri}/deep", access=place.access) == [StoredObject("a", 1)]
    assert await list_objects(f"{place.uri}/", access=place.access) == [StoredObject("deep/a", 1)]


async def test_a_prefix_ends_at_a_slash(place: Any, tmp_path: Path) -> None:
    await upload(fill(tmp_path / "out", ab__x="1", a__x="2"), place.uri, access=place.access)
    assert await list_objects(f"{place.uri}/a", access=place.access) == [StoredObject("x", 1)]


async def test_odd_names_come_back_as_they_were(place: Any, tmp_path: Path) -> None:
    source = tmp_path / "out"
    for name in ODD:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    await upload(source, place.uri, access=place.access)
    assert sorted(each.key for each in await list_objects(place.uri, access=place.access)) == sorted(ODD)
    await download(place.uri, tmp_path / "in", access=place.access)
    assert content(tmp_path / "in") == content(source)


async def test_the_filter_matches_at_the_start_of_the_relative_key(place: Any, tmp_path: Path) -> None:
    await upload(fill(tmp_path / "out", a__x="1", b__a="2", ab="3"), place.uri, regex="a", access=place.access)
    assert [found.key for found in await list_objects(place.uri, access=place.access)] == ["a/x", "ab"]
    assert [found.key for found in await list_objects(place.uri, regex="ab", access=place.access)] == ["ab"]
    fetched = await download(place.uri, tmp_path / "in", regex=r".*x$", access=place.access)
    assert fetched.files == 1
    with pytest.raises(BadRegex):
        await upload(tmp_path / "out", place.uri, regex="(", access=place.access)


async def test_an_empty_prefix_brings_no_files_and_makes_the_directory(place: Any, tmp_path: Path) -> None:
    assert await download(f"{place.uri}/nothing", tmp_path / "in", access=place.access) == Transferred()
    assert (tmp_path / "in").is_dir()
    assert await list_objects(f"{place.uri}/nothing", access=place.access) == []
    assert await upload(tmp_path / "missing", place.uri, access=place.access) == Transferred()
    assert await upload(fill(tmp_path / "empty"), place.uri, access=place.access) == Transferred()


async def test_a_uri_of_one_object_brings_that_object_whatever_the_filter(place: Any, tmp_path: Path) -> None:
    await upload(fill(tmp_path / "out", model="weights", model2="more"), place.uri, access=place.access)
    fetched = await download(f"{place.uri}/model", tmp_path / "in", regex="nothing", access=place.access)
    assert (fetched.files, content(tmp_path / "in")) == (1, {"model": b"weights"})
    assert await list_objects(f"{place.uri}/model", access=place.access) == [StoredObject("model", 7)]


async def test_one_file_can_be_uploaded_under_its_name(place: Any, tmp_path: Path) -> None:
    file = fill(tmp_path / "out", only="this", other="not")
    await upload(file / "only", place.uri, access=place.access)
    assert await list_objects(place.uri, access=place.access) == [StoredObject("only", 4)]


async def test_links_to_files_are_followed_and_what_is_no_file_is_named(place: Any, tmp_path: Path) -> None:
    source = fill(tmp_path / "out", real="data")
    (source / "link").symlink_to("real")
    (source / "loop").symlink_to(source)
    os.mkfifo(source / "pipe")
    sent = await upload(source, place.uri, access=place.access)
    assert (sent.files, sent.skipped) == (2, ("loop", "pipe"))
    await download(place.uri, tmp_path / "in", access=place.access)
    assert content(tmp_path / "in") == {"real": b"data", "link": b"data"}


async def test_a_later_upload_replaces_what_has_the_same_key_and_leaves_the_rest(place: Any, tmp_path: Path) -> None:
    await upload(fill(tmp_path / "out", a="old", b="stays"), place.uri, access=place.access)
    await upload(fill(tmp_path / "again", a="newer"), place.uri, access=place.access)
    assert await list_objects(place.uri, access=place.access) == [StoredObject("a", 5), StoredObject("b", 5)]


async def test_a_later_download_replaces_and_leaves_no_parts(place: Any, tmp_path: Path) -> None:
    await upload(fill(tmp_path / "out", a="new"), place.uri, access=place.access)
    await download(place.uri, fill(tmp_path / "in", a="older", mine="kept"), access=place.access)
    assert content(tmp_path / "in") == {"a": b"new", "mine": b"kept"}


async def test_a_file_that_cannot_be_kept_is_an_error_that_names_it(place: Any, tmp_path: Path) -> None:
    await upload(fill(tmp_path / "out", a="1"), place.uri, access=place.access)
    fill(tmp_path / "in", a__below="a directory is in the way")
    with pytest.raises(StorageError, match="a"):
        await download(place.uri, tmp_path / "in", access=place.access)
    assert sorted(content(tmp_path / "in")) == ["a/below"]


async def test_who_gives_up_leaves_nothing_half(place: Any, tmp_path: Path) -> None:
    source = fill(tmp_path / "out", **{f"file{number}": "x" * number for number in range(200)})
    uploading = asyncio.create_task(upload(source, place.uri, access=place.access))
    while not await list_objects(place.uri, access=place.access):
        await asyncio.sleep(0.01)
    uploading.cancel()
    await asyncio.gather(uploading, return_exceptions=True)
    for found in await list_objects(place.uri, access=place.access):
        assert found.size == int(found.key.removeprefix("file"))
