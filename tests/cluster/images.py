"""Images made on this machine, as archives that containerd imports: no registry, no build tool."""

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.api import Json

BUSYBOX = Path("/bin/busybox")
BUSYBOX_IMAGE = "osmo.test/busybox:1"
PAUSE_IMAGE = "osmo.test/pause:1"
# Nobody listens there: a pull fails at once, and never leaves this machine.
MISSING_IMAGE = "127.0.0.1:9/missing:1"

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class Image:
    """An image: layers from the lowest up (uncompressed tar archives), and what a container of it does by default."""

    name: str
    layers: Sequence[bytes]
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(
        default_factory=lambda: {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
    )
    user: str = ""
    working_directory: str = "/"

    def archive(self) -> bytes:
        """An OCI layout in a tar archive, with the image's name in it."""
        layout = _Layout()
        layers = [layout.blob(_LAYER, layer) for layer in self.layers]
        config = layout.blob(_CONFIG, json.dumps(self._config()).encode())
        manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": layers}
        described = layout.blob(_MANIFEST, json.dumps(manifest).encode())
        described["annotations"] = {"io.containerd.image.name": self.name}
        layout.file(
            "index.json", json.dumps({"schemaVersion": 2, "mediaType": _INDEX, "manifests": [described]}).encode()
        )
        layout.file("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        return layout.close()

    def _config(self) -> Json:
        return {
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Entrypoint": list(self.entrypoint),
                "Cmd": list(self.command),
                "Env": [f"{name}={value}" for name, value in self.environment.items()],
                "User": self.user,
                "WorkingDir": self.working_directory,
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(layer)}" for layer in self.layers]},
        }


def busybox() -> Image:
    """A shell and the usual small programs."""
    return Image(BUSYBOX_IMAGE, [busybox_layer()], command=["sh"])


def pause() -> Image:
    """What holds a pod's namespaces."""
    return Image(
        PAUSE_IMAGE,
        [layer_of({"bin/busybox": BUSYBOX.read_bytes()})],
        entrypoint=["/bin/busybox", "sleep", "2147483647"],
    )


def busybox_layer() -> bytes:
    """Debian's static busybox under all its names, with the few files that programs look for."""
    listed = subprocess.run([BUSYBOX, "--list-full"], check=True, capture_output=True, text=True).stdout.split()
    files: dict[str, bytes | Path] = {
        "bin/busybox": BUSYBOX.read_bytes(),
        "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
        "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
    }
    links = {name: "/bin/busybox" for name in listed if name not in files}
    return layer_of(files, links, folders=["tmp", "root", "var", "usr/local/bin"])


def layer_of(
    files: Mapping[str, bytes | Path], links: Mapping[str, str] | None = None, folders: Sequence[str] = ()
) -> bytes:
    """A layer with these files (all may be run), symbolic links and folders; a `Path` stands for that file or that whole tree."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name in folders:
            archive.addfile(_entry(name, tarfile.DIRTYPE))
        for name, content in files.items():
            if isinstance(content, Path):
                archive.add(content, name, filter=_of_root)
            else:
                archive.addfile(_entry(name, size=len(content)), io.BytesIO(content))
        for name, target in (links or {}).items():
            archive.addfile(_entry(name, tarfile.SYMTYPE, target))
    return output.getvalue()


class _Layout:
    def __init__(self) -> None:
        self._output = io.BytesIO()
        self._archive = tarfile.open(fileobj=self._output, mode="w")  # noqa: SIM115 - closed in close()

    def blob(self, kind: str, content: bytes) -> Json:
        digest = _digest(content)
        self.file(f"blobs/sha256/{digest}", content)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}

    def file(self, name: str, content: bytes) -> None:
        self._archive.addfile(_entry(name, size=len(content)), io.BytesIO(content))

    def close(self) -> bytes:
        self._archive.close()
        return self._output.getvalue()


def _entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, target, size
    entry.mode = 0o1777 if name == "tmp" else 0o755
    return entry


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
