"""`python -m images.oci ARCHIVE [--name NAME] [--base DIRECTORY] [--runtime DIRECTORY]`: the runtime image as an archive, without any engine.

`ctr images import ARCHIVE`, `docker load -i ARCHIVE` and `podman load -i ARCHIVE` take it. The same input gives the same bytes. The image needs no
base: whoever wants tools in it gives a folder that holds a root file system.
"""

import argparse
import gzip
import hashlib
import io
import json
import platform
import re
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from images.cached import cached_runtime
from images.folders import FILES, FOLDERS
from images.shared_libraries import Unbuildable
from osmo_runtime import image_layout

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
DEFAULT_NAME = "osmo-runtime:dev"
DEFAULT_REGISTRY = "docker.io/library/"
_OCI = "application/vnd.oci.image"
Json = dict[str, Any]


def write_runtime_image(archive: Path, runtime: Path, *, name: str = DEFAULT_NAME, base: Path | None = None) -> None:
    """Write the image of a built runtime, on top of the root file system in `base` where there is one."""
    layers = [*([_layer_of_tree(base, "")] if base else ()), _runtime_layer(runtime, with_names=base is None)]
    with archive.open("wb") as output:
        _write_archive(output, name, layers)


def _runtime_layer(runtime: Path, *, with_names: bool) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for folder, mode in FOLDERS:
            layer.addfile(_entry(folder, tarfile.DIRTYPE, mode))
        if with_names:
            for path, content in FILES.items():
                layer.addfile(_entry(path, size=len(content)), io.BytesIO(content))
        _add_tree(layer, runtime, image_layout.IMAGE_DIR.lstrip("/"))
    return output.getvalue()


def _layer_of_tree(tree: Path, place: str) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as layer:
        _add_tree(layer, tree, place)
    return output.getvalue()


def _add_tree(layer: tarfile.TarFile, tree: Path, place: str) -> None:
    """In the order of names, as root's, without times: the bytes depend on what is in the files, and on nothing else."""
    for path in sorted((tree, *tree.rglob("*"))):
        relative = path.relative_to(tree).as_posix()
        name = f"{place}/{relative}" if place and relative != "." else place or relative
        found = layer.gettarinfo(str(path), name)
        if found is None or name == ".":
            continue
        entry = _entry(name, found.type, found.mode, found.size)
        entry.linkname = found.linkname
        if found.islnk():
            entry.type, entry.size, entry.linkname = tarfile.REGTYPE, path.stat().st_size, ""
        if entry.isreg():
            with path.open("rb") as content:
                layer.addfile(entry, content)
        else:
            layer.addfile(entry)


def _entry(name: str, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, size: int = 0) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size = kind, mode, size
    return entry


# -- the archive ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Blob:
    kind: str
    content: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def path(self) -> str:
        return f"blobs/sha256/{self.digest}"

    def described(self, **more: Any) -> Json:
        return {"mediaType": self.kind, "digest": f"sha256:{self.digest}", "size": len(self.content), **more}


def _write_archive(output: Any, name: str, layers: Sequence[bytes]) -> None:
    packed = [_Blob(f"{_OCI}.layer.v1.tar+gzip", gzip.compress(layer, compresslevel=6, mtime=0)) for layer in layers]
    config = _Blob(f"{_OCI}.config.v1+json", _json(_config(layers)))
    manifest = _Blob(
        f"{_OCI}.manifest.v1+json",
        _json(
            {
                "schemaVersion": 2,
                "mediaType": f"{_OCI}.manifest.v1+json",
                "config": config.described(),
                "layers": [layer.described() for layer in packed],
            }
        ),
    )
    for_docker = [{"Config": config.path, "RepoTags": [name], "Layers": [layer.path for layer in packed]}]
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for blob in (*packed, config, manifest):
            archive.addfile(_entry(blob.path, size=len(blob.content)), io.BytesIO(blob.content))
        _add(archive, "index.json", _index(name, manifest))
        _add(archive, "manifest.json", for_docker)
        _add(archive, "oci-layout", {"imageLayoutVersion": "1.0.0"})


def _index(name: str, manifest: _Blob) -> Json:
    full = full_reference(name)
    annotations = {"io.containerd.image.name": full, "org.opencontainers.image.ref.name": full.rpartition(":")[2]}
    described = manifest.described(annotations=annotations, platform={"architecture": _architecture(), "os": "linux"})
    return {"schemaVersion": 2, "mediaType": f"{_OCI}.index.v1+json", "manifests": [described]}


def full_reference(name: str) -> str:
    """As a kubelet asks its containerd for it."""
    if not re.search(r":[^/]*$", name):
        name = f"{name}:latest"
    first, slash, _ = name.partition("/")
    if slash and (re.search(r"[.:]", first) or first == "localhost"):
        return name
    return f"{DEFAULT_REGISTRY.removesuffix('library/') if slash else DEFAULT_REGISTRY}{name}"


def _config(layers: Sequence[bytes]) -> Json:
    return {
        "architecture": _architecture(),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Cmd": list(image_layout.CTRL_COMMAND),
            "Env": [f"PATH={image_layout.IMAGE_DIR}:/usr/local/bin:/usr/bin:/bin"],
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]},
    }


def _architecture() -> str:
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def _add(archive: tarfile.TarFile, name: str, value: object) -> None:
    content = _json(value)
    archive.addfile(_entry(name, size=len(content)), io.BytesIO(content))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m images.oci")
    parser.add_argument("archive", type=Path)
    parser.add_argument("--name", default=DEFAULT_NAME)
    parser.add_argument("--base", type=Path, help="a folder with a root file system to put the runtime on")
    parser.add_argument("--runtime", type=Path, help="a built runtime; without it one is built")
    chosen = parser.parse_args()
    try:
        write_runtime_image(chosen.archive, chosen.runtime or cached_runtime(), name=chosen.name, base=chosen.base)
    except (Unbuildable, OSError) as error:
        sys.stderr.write(f"The image cannot be built: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
