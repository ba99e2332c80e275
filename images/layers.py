"""Layers of images: folders as archives of which every byte comes from what is in the files, and nothing from when and by whom they were made."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Folders = Sequence[tuple[str, int]]
"""Names and modes."""


@dataclass(frozen=True)
class Layer:
    """One layer, packed; an image names it by the digest of what is inside."""

    packed: bytes
    diff_id: str


def layer_of(
    trees: Mapping[str, Path],
    *,
    folders: Folders = (),
    files: Mapping[str, bytes] | None = None,
    links: Mapping[str, str] | None = None,
) -> Layer:
    """These folders, small files and symbolic links, then every tree at its place ("" is the root): all of it root's."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for folder, mode in folders:
            layer.addfile(entry(folder, tarfile.DIRTYPE, mode))
        for name, content in (files or {}).items():
            layer.addfile(entry(name, size=len(content)), io.BytesIO(content))
        for name, target in (links or {}).items():
            link = entry(name, tarfile.SYMTYPE, 0o777)
            link.linkname = target
            layer.addfile(link)
        for place, tree in trees.items():
            _add_tree(layer, tree, place)
    raw = output.getvalue()
    return Layer(gzip.compress(raw, compresslevel=6, mtime=0), f"sha256:{hashlib.sha256(raw).hexdigest()}")


def _add_tree(layer: tarfile.TarFile, tree: Path, place: str) -> None:
    """In the order of names, without times."""
    for path in sorted((tree, *tree.rglob("*"))):
        relative = path.relative_to(tree).as_posix()
        name = f"{place}/{relative}" if place and relative != "." else place or relative
        found = layer.gettarinfo(str(path), name)
        if found is None or name == ".":
            continue
        made = entry(name, found.type, found.mode, found.size)
        made.linkname = found.linkname
        if found.islnk():
            made.type, made.size, made.linkname = tarfile.REGTYPE, path.stat().st_size, ""
        if made.isreg():
            with path.open("rb") as content:
                layer.addfile(made, content)
        else:
            layer.addfile(made)


def entry(name: str, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, size: int = 0) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.mode, made.size = kind, mode, size
    return made
