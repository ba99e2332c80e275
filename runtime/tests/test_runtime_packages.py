"""What the image is said to hold is what its members need, and what it is built from is deterministic."""

import hashlib
import importlib.metadata
import io
import json
import re
import tarfile
from pathlib import Path

import pytest
from images.folders import FOLDERS
from images.oci import full_reference, write_runtime_image
from images.packages import RUNTIME_MEMBERS, RUNTIME_PACKAGES, SERVICE_MEMBERS, SERVICE_PACKAGES, locked, members
from packaging.requirements import Requirement


@pytest.mark.parametrize(("of", "packages"), [(RUNTIME_MEMBERS, RUNTIME_PACKAGES), (SERVICE_MEMBERS, SERVICE_PACKAGES)])
def test_the_packages_are_those_that_the_members_require(of: tuple[str, ...], packages: tuple[str, ...]) -> None:
    found: set[str] = set()
    waiting = list(of)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _required_by(name)
    assert found == {*of, *packages}


def test_the_service_image_has_every_member() -> None:
    assert set(members()) == set(SERVICE_MEMBERS)


def test_every_package_is_locked_with_its_hashes() -> None:
    entries = list(locked(SERVICE_PACKAGES))
    assert len(entries) == len(SERVICE_PACKAGES)
    assert all(re.match(r"[a-z0-9-]+==\S+ ", entry) and "--hash=sha256:" in entry for entry in entries)


def test_the_same_runtime_makes_the_same_image(tmp_path: Path) -> None:
    """Whoever owns the files and whenever they were written; every blob is what its name says."""
    tree = tmp_path / "runtime"
    tree.mkdir()
    (tree / "program").write_text("x")
    (tree / "link").symlink_to("program")
    first, second = tmp_path / "first", tmp_path / "second"
    write_runtime_image(first, tree, name="osmo-runtime:1")
    (tree / "program").touch()
    write_runtime_image(second, tree, name="osmo-runtime:1")
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        for name in archive.getnames():
            if name.startswith("blobs/"):
                assert hashlib.sha256(_read(archive, name)).hexdigest() == name.rpartition("/")[2]


def test_the_image_is_the_runtime_on_its_base(tmp_path: Path) -> None:
    tree, base = tmp_path / "runtime", tmp_path / "base"
    (base / "bin").mkdir(parents=True)
    (base / "bin" / "tool").write_text("tool")
    tree.mkdir()
    (tree / "program").write_text("x")
    (tree / "program").chmod(0o755)
    write_runtime_image(tmp_path / "archive", tree, name="osmo-runtime:1", base=base)
    with tarfile.open(tmp_path / "archive") as archive:
        described = json.loads(_read(archive, "index.json"))["manifests"][0]
        manifest = json.loads(_read(archive, _blob(described)))
        config = json.loads(_read(archive, _blob(manifest["config"])))
        layers = [_unpacked(_read(archive, _blob(layer))) for layer in manifest["layers"]]
        assert json.loads(_read(archive, "manifest.json"))[0]["RepoTags"] == ["osmo-runtime:1"]
    assert described["annotations"]["io.containerd.image.name"] == "docker.io/library/osmo-runtime:1"
    assert [layer.getnames() for layer in layers] == [
        ["bin", "bin/tool"],
        [*(name for name, _ in FOLDERS), "opt/osmo", "opt/osmo/program"],
    ]
    assert layers[1].getmember("opt/osmo/program").mode == 0o755
    assert len(config["rootfs"]["diff_ids"]) == 2


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("osmo-runtime", "docker.io/library/osmo-runtime:latest"),
        ("osmo-runtime:1", "docker.io/library/osmo-runtime:1"),
        ("team/osmo:1", "docker.io/team/osmo:1"),
        ("localhost/osmo:1", "localhost/osmo:1"),
        ("registry.example:5000/osmo", "registry.example:5000/osmo:latest"),
    ],
)
def test_an_image_has_the_name_that_a_kubelet_asks_for(name: str, full: str) -> None:
    assert full_reference(name) == full


def _required_by(name: str) -> list[str]:
    """By the oldest Python, which needs the most."""
    wanted = map(Requirement, importlib.metadata.requires(name) or [])
    return [
        re.sub(r"[-_.]+", "-", each.name).lower()
        for each in wanted
        if each.marker is None or each.marker.evaluate({"extra": "", "python_version": "3.11"})
    ]


def _blob(described: dict[str, str]) -> str:
    return f"blobs/sha256/{described['digest'].removeprefix('sha256:')}"


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def _unpacked(layer: bytes) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(layer))
