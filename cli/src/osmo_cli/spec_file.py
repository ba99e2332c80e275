"""Spec files on their way to the server: is it a template, and the local files that it brings along.

A spec is sent as its author wrote it. Only the values of `localpath` are replaced, in place and on one line, so that every line and column
that the server complains about is one of the author's file.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osmo_cli.errors import SubmissionError

TEMPLATE_MARKS = ("{%", "{{", "{#", "default-values")
MAX_LOCAL_BYTES = 32 * 1024 * 1024


def needs_two_passes(text: str) -> bool:
    """Whether the server must render the text before its local files can be found: they are named in a template."""
    return "localpath" in text and any(mark in text for mark in TEMPLATE_MARKS)


@dataclass(frozen=True, slots=True)
class SpecSource:
    """A spec to be submitted: its text, what to call it, and where the local files that it names are looked for."""

    text: str
    name: str
    directory: Path

    @property
    def stem(self) -> str:
        """What a workflow of it is called where nobody says a better name."""
        return Path(self.name).stem


def read_spec(path: Path) -> SpecSource:
    """A spec file. SubmissionError where it cannot be read."""
    try:
        return SpecSource(path.read_text(encoding="utf-8"), str(path), path.resolve().parent)
    except OSError as error:
        raise SubmissionError(f"Cannot read the workflow file {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SubmissionError(f"The workflow file {path} is not UTF-8 text.") from error


def with_local_files(text: str, directory: Path) -> str:
    """The text with each `localpath: <file>` (relative to `directory`) replaced by `contents: <text of the file>`."""
    if "localpath" not in text:
        return text
    replacements = sorted(_replacements(text, directory), key=lambda each: each.start, reverse=True)
    for each in replacements:
        text = text[: each.start] + each.text + text[each.end :]
    return text


@dataclass(frozen=True, slots=True)
class _Replacement:
    start: int
    end: int
    text: str


def _replacements(text: str, directory: Path) -> Iterator[_Replacement]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except YAMLError:
        return  # The server says what is wrong with it, with line and column.
    for files in _lists_called_files(root):
        for entry in files.value:
            if entry.id == "mapping":
                yield from _of_entry(entry, directory)


def _lists_called_files(node: Any) -> Iterator[Any]:
    """Every list under a key `files`, wherever it stands: tasks may be listed flat or inside groups."""
    if node is None or node.id == "scalar":
        return
    if node.id == "sequence":
        for child in node.value:
            yield from _lists_called_files(child)
        return
    for key, value in node.value:
        if key.value == "files" and value.id == "sequence":
            yield value
        else:
            yield from _lists_called_files(value)


def _of_entry(entry: Any, directory: Path) -> Iterator[_Replacement]:
    keys = {key.value: (key, value) for key, value in entry.value}
    if "localpath" not in keys:
        return
    key, value = keys["localpath"]
    if "contents" in keys:
        raise SubmissionError(f"A file has both localpath and contents (line {key.start_mark.line + 1}): give one.")
    contents = _local_text(directory / Path(str(value.value)).expanduser())
    # A JSON string is a YAML string, on one line.
    replaced = f"contents: {json.dumps(contents, ensure_ascii=False)}"
    yield _Replacement(key.start_mark.index, value.end_mark.index, replaced)


def _local_text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_LOCAL_BYTES:
            raise SubmissionError(f"The localpath file {path} is larger than {MAX_LOCAL_BYTES} bytes.")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SubmissionError(f"Cannot read the localpath file {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SubmissionError(
            f"The localpath file {path} is not UTF-8 text: put binary data inline, with base64: true."
        ) from error
