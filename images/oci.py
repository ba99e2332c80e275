"""`python -m images.oci ARCHIVE [--image runtime|service] [--name NAME] ...`: an image as an archive, without any engine.

`ctr images import ARCHIVE`, `docker load -i ARCHIVE` and `podman load -i ARCHIVE` take it. The same input gives the same bytes. The images need no
base: whoever wants tools in the runtime's gives a folder that holds a root file system.
"""

import argparse
import hashlib
import io
import json
import platform
import re
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from images import service_image
from images.cached import cached_runtime, cached_service_layers
from images.folders import FILES, FOLDERS
from images.layers import Layer, entry, layer_of
from images.shared_libraries import Unbuildable
from osmo_runtime import image_layout

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
DEFAULT_NAMES = {"runtime": "osmo-runtime:dev", "service": "osmo-service:dev"}
DEFAULT_REGISTRY = "docker.io/library/"
_OCI = "application/vnd.oci.image"
Json = dict[str, Any]


@dataclass(frozen=True)
class Defaults:
    """What a container of the image does where nothing else is said."""

    command: Sequence[str]
    environment: Mapping[str, str]
    user: str = ""


_RUNTIME = Defaults(image_layout.CTRL_COMMAND, {"PATH": f"{image_layout.IMAGE_DIR}:/usr/local/bin:/usr/bin:/bin"})
_SERVICE = Defaults(service_image.COMMAND, service_image.ENVIRONMENT, user=f"{service_image.USER}:{service_image.USER}")


def write_runtime_image(
    archive: Path, runtime: Path, *, name: str = DEFAULT_NAMES["runtime"], base: Path | None = None
) -> None:
    """Write the image of a built runtime, on top of the root file system in `base` where there is one."""
    own = {image_layout.IMAGE_DIR.lstrip("/"): runtime}
    layer = layer_of(own, folders=FOLDERS, files=None if base else FILES)
    _write_archive(archive, name, [*([layer_of({"": base})] if base else ()), layer], _RUNTIME)


def write_service_image(archive: Path, *, name: str = DEFAULT_NAMES["service"]) -> None:
    """Write the image of the services, of this environment's Python and packages. Raises Unbuildable."""
    _write_archive(archive, name, cached_service_layers(), _SERVICE)


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


def _write_archive(path: Path, name: str, layers: Sequence[Layer], defaults: Defaults) -> None:
    packed = [_Blob(f"{_OCI}.layer.v1.tar+gzip", layer.packed) for layer in layers]
    config = _Blob(f"{_OCI}.config.v1+json", _json(_config(layers, defaults)))
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
    with tarfile.open(path, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for blob in (*packed, config, manifest):
            archive.addfile(entry(blob.path, size=len(blob.content)), io.BytesIO(blob.content))
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


def _config(layers: Sequence[Layer], defaults: Defaults) -> Json:
    return {
        "architecture": _architecture(),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Cmd": list(defaults.command),
            "Env": [f"{name}={value}" for name, value in defaults.environment.items()],
            "WorkingDir": "/",
            **({"User": defaults.user} if defaults.user else {}),
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
    }


def _architecture() -> str:
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def _add(archive: tarfile.TarFile, name: str, value: object) -> None:
    content = _json(value)
    archive.addfile(entry(name, size=len(content)), io.BytesIO(content))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m images.oci")
    parser.add_argument("archive", type=Path)
    parser.add_argument("--image", choices=DEFAULT_NAMES, default="runtime")
    parser.add_argument("--name")
    parser.add_argument("--base", type=Path, help="a folder with a root file system to put the runtime on")
    parser.add_argument("--runtime", type=Path, help="a built runtime; without it one is built")
    chosen = parser.parse_args()
    try:
        name = chosen.name or DEFAULT_NAMES[chosen.image]
        if chosen.image == "service":
            write_service_image(chosen.archive, name=name)
        else:
            write_runtime_image(chosen.archive, chosen.runtime or cached_runtime(), name=name, base=chosen.base)
    except (Unbuildable, OSError) as error:
        sys.stderr.write(f"The image cannot be built: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
