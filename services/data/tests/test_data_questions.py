"""What the data service says about URIs."""

import asyncio
import random
from pathlib import Path

import msgspec
import pytest

from osmo_data.app import open_app
from osmo_data.questions import Questions
from osmo_data.settings import DataSettings
from osmo_domain.requests import CheckData, DataChecked
from osmo_eventlog.memory import MemoryServer
from osmo_eventlog.subjects import DATA_QUESTIONS
from osmo_service.clock import SystemClock


def ask(*uris: tuple[str, str], roots: tuple[Path, ...] = ()) -> DataChecked:
    return asyncio.run(Questions(roots).check(CheckData("alice", uris)))


def test_what_is_accessible_or_not_there_yet_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "there.txt").write_text("x")
    uris = [
        (f"file://{tmp_path}/there.txt", "READ"),
        (f"file://{tmp_path}/not/yet", "READ"),
        (f"file://{tmp_path}/out/a", "WRITE"),
    ]
    assert ask(*uris) == DataChecked()


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("gs://bucket/key", "storage.uri.unknown_scheme"),
        ("s3://bu cket", "storage.uri.bad_bucket"),
        ("s3://bucket/a,b", "storage.uri.bad_path"),
        ("nonsense", "storage.uri.malformed"),
        ("file://relative/path", "storage.uri.bad_path"),
        ("file:///a/../b", "storage.uri.bad_path"),
        ("", "storage.uri.malformed"),
    ],
)
def test_a_uri_that_names_no_place_gets_the_storage_code(uri: str, code: str) -> None:
    answer = ask((uri, "READ"))
    assert answer.codes == {uri: code}
    assert answer.problems[uri]


def test_paths_outside_of_the_roots_are_refused_through_links_too(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    good, bad, sly = (f"file://{inside}/x", f"file://{outside}/x", f"file://{inside}/link/x")
    answer = ask((good, "WRITE"), (bad, "WRITE"), (sly, "WRITE"), roots=(inside,))
    assert answer.codes == {bad: "data.outside_roots", sly: "data.outside_roots"}


def test_nothing_is_written_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    at, below = f"file://{tmp_path}/file", f"file://{tmp_path}/file/below"
    assert ask((at, "WRITE"), (below, "WRITE")).codes == {at: "data.not_a_directory", below: "data.not_a_directory"}


def test_a_direction_that_is_none_is_refused() -> None:
    assert ask(("file:///tmp", "BURN")).codes == {"file:///tmp": "data.bad_direction"}


def test_a_path_that_no_file_system_takes_is_a_problem_and_no_crash() -> None:
    uri = "file:///" + "x" * 5000
    assert ask((uri, "READ")).codes == {uri: "data.unreachable"}


def test_the_data_root_is_always_among_the_roots() -> None:
    assert DataSettings(data_root="/a").roots() == ()
    assert DataSettings(data_root="/a", data_allowed_roots="/b:/c").roots() == (Path("/a"), Path("/b"), Path("/c"))


async def test_questions_are_answered_over_the_log(tmp_path: Path) -> None:
    server = MemoryServer(SystemClock(), random.Random(1))
    async with open_app(DataSettings(), server.connect("data"), SystemClock(), random.Random(2)):
        asker = server.connect("submit").requests
        question = msgspec.json.encode(CheckData("alice", ((f"file://{tmp_path}", "WRITE"), ("gs://x/y", "READ"))))
        answer = msgspec.json.decode(await asker.ask(DATA_QUESTIONS, question, timeout_s=5), type=DataChecked)
        assert answer.codes == {"gs://x/y": "storage.uri.unknown_scheme"}
        garbled = msgspec.json.decode(await asker.ask(DATA_QUESTIONS, b"{", timeout_s=5), type=DataChecked)
        assert garbled.codes == {"": "data.bad_question"}
