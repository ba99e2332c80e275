"""The same pod where the kernel refuses private roots: everything below `/osmo`, and every injected file, lies under the pod's directory, and
the spec is rewritten to name it there.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from osmo_runtime.paths import PodPaths
from osmo_runtime.pod import PodFile, PodSpec

_BEFORE = r"(?<![\w./-])"
_AFTER = r"(?![\w.-])"


def rewritten(spec: PodSpec, root: Path) -> PodSpec:
    """`spec` with its paths moved under `root`: `/osmo/...` to `<root>/osmo/...`, an injected `/a/b` to `<root>/files/a/b`.

    Paths are recognised in the command, its arguments, the environment, checkpoints and the text of injected files; secrets stay as they are.
    """
    moved = _mover(spec, root)
    paths = PodPaths(root)
    return msgspec.structs.replace(
        spec,
        command=tuple(map(moved, spec.command)),
        args=tuple(map(moved, spec.args)),
        environment={
            "TMPDIR": str(root / "tmp"),
            "OSMO_DATA_DIR": str(paths.data),
            "OSMO_INPUT_DIR": str(paths.input),
            "OSMO_OUTPUT_DIR": str(paths.output),
            **{name: moved(value) for name, value in spec.environment.items()},
        },
        files=tuple(_moved_file(file, moved) for file in spec.files),
        secrets=msgspec.structs.replace(
            spec.secrets,
            files=tuple(msgspec.structs.replace(file, path=moved(file.path)) for file in spec.secrets.files),
        ),
        checkpoints=tuple(msgspec.structs.replace(each, path=moved(each.path)) for each in spec.checkpoints),
    )


def _mover(spec: PodSpec, root: Path) -> Callable[[str], str]:
    targets = {"/osmo": str(root / "osmo")}
    for path in (*(file.path for file in spec.files), *_secret_paths(spec)):
        if not Path(path).is_relative_to("/osmo"):
            targets[path] = str(root / "files" / path.lstrip("/"))
    longest_first = sorted(targets, key=len, reverse=True)
    pattern = re.compile(f"{_BEFORE}({'|'.join(map(re.escape, longest_first))}){_AFTER}")
    return lambda text: pattern.sub(lambda found: targets[found[1]], text)


def _secret_paths(spec: PodSpec) -> Iterator[str]:
    """Of the files, and of folders that are there for them alone: those are what a spec names."""
    for file in spec.secrets.files:
        yield file.path
        folder = Path(file.path).parent
        if not folder.is_dir():
            yield str(folder)


def _moved_file(file: PodFile, moved: Callable[[str], str]) -> PodFile:
    contents = file.contents if file.base64 else moved(file.contents)
    return msgspec.structs.replace(file, path=moved(file.path), contents=contents)
