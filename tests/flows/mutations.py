"""One valid spec that uses nearly every key, and what becomes of it when one thing in it is changed."""

import copy
import json
from collections.abc import Iterator
from typing import Any

VALID: dict[str, Any] = {
    "name": "whole",
    "labels": {"team": "robots", "example.com/cost": "a1"},
    "timeout": {"exec_timeout": "1h", "queue_timeout": 60},
    "pool": "elsewhere",
    "resources": {
        "default": {"cpu": 1, "memory": "1Gi", "storage": "2Gi", "platform": "simulated", "nodesExcluded": ["n1"]},
        "small": {"cpu": 0, "gpu": 1},
    },
    "groups": [
        {
            "name": "one",
            "barrier": True,
            "ignoreNonleadStatus": False,
            "tasks": [
                {
                    "name": "a",
                    "lead": True,
                    "image": "nvcr.io/org/x:1",
                    "command": ["sh", "-c"],
                    "args": ["{{output}}", 1, 2.5, "{{host:b}}"],
                    "environment": {"A": "b", "C": True, "D": 5},
                    "inputs": [{"url": "file:///tmp/x", "regex": ".*"}],
                    "outputs": [{"url": "file:///tmp/y/{{workflow_id}}"}, {"dataset": {"name": "ds", "path": "made"}}],
                    "files": [{"path": "/tmp/f", "contents": "hi", "base64": False}],
                    "kpis": [{"index": 1, "path": "k"}],
                    "checkpoint": [{"path": "/c", "url": "file:///tmp/c", "frequency": "10s", "regex": ""}],
                    "exitActions": {"COMPLETE": 0, "RESCHEDULE": "1-9,137"},
                    "privileged": False,
                    "hostNetwork": False,
                    "downloadType": "download",
                    "cacheSize": "50%",
                    "resource": "small",
                },
                {"name": "b", "image": "alpine", "command": "sleep 1"},
            ],
        },
        {
            "name": "two",
            "tasks": [
                {
                    "name": "c",
                    "image": "alpine",
                    "command": ["x"],
                    "inputs": [{"task": "a"}, {"dataset": {"name": "ds", "regex": "a.*"}}],
                    "outputs": [{"update_dataset": {"name": "other:3", "paths": ["p"]}}],
                }
            ],
        },
    ],
}

NEEDED = {"name", "image", "command", "tasks", "groups", "url", "task", "dataset", "update_dataset", "path", "contents"} | {
    "index", "frequency", "key", "default", "small", "resources", "lead"
}  # fmt: skip
"""Keys without which something is missing, or something else means nothing."""

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**30, 1.5, float("inf"), "", " ", "x", "a b", "-", "{{", "{% if %}", "{{output}}", "{{ no }}", "\0",
    "\ud7ff", "é" * 70, "a" * 500, "yes", "1e3", "2024-01-01", "s3://", "../x", "/", "/osmo/x", "1GB", "[", "(", "(?i)a", "a-b", [], {},
    [[]], [None], [1], {"": 1}, {"a": None}, {"name": "a"}, [{"task": "b"}], [{"task": "z-1:q"}], [{"dataset": {"name": "a/b/c"}}],
)  # fmt: skip
"""What is put in the place of a value."""

Path = tuple[Any, ...]


def text_of(document: Any) -> str:
    """JSON, which is YAML, one value to a line, so that places can be looked at."""
    return "workflow: " + json.dumps(document, indent=1, ensure_ascii=False)


def paths(node: Any, before: Path = ()) -> Iterator[Path]:
    """The path of everything in the document but itself."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield (*before, key)
        yield from paths(node[key], (*before, key))


def mutated() -> Iterator[tuple[str, str]]:
    """What was done, and the text: every key deleted, misspelled, doubled and wrapped, and every value replaced by odd ones in turn."""
    everything = list(paths(VALID))
    for number, path in enumerate(everything):
        for kind in ("delete", "misspell", "double", "wrap in a list", "wrap in a map"):
            if (document := _changed(path, kind)) is not None:
                yield f"{kind} {_shown(path)}", text_of(document)
        for step in range(11):
            odd = ODD[(number * 11 + step) % len(ODD)]
            document = copy.deepcopy(VALID)
            _holder(document, path)[path[-1]] = copy.deepcopy(odd)
            yield f"{_shown(path)} = {odd!r}"[:100], text_of(document)


def smaller() -> Iterator[tuple[str, str]]:
    """The spec without one key that it can do without: still valid."""
    for path in paths(VALID):
        if isinstance(path[-1], str) and path[-1] not in NEEDED:
            document = copy.deepcopy(VALID)
            del _holder(document, path)[path[-1]]
            yield f"without {_shown(path)}", text_of(document)


def _changed(path: Path, kind: str) -> Any:
    """The document with one thing done to it; None where that cannot be done there."""
    document = copy.deepcopy(VALID)
    holder, key = _holder(document, path), path[-1]
    if kind == "delete":
        del holder[key]
    elif kind == "misspell":
        if not isinstance(holder, dict):
            return None
        holder[f"{key}x"] = holder.pop(key)
    elif kind == "double":
        if not isinstance(holder, list):
            return None
        holder.append(copy.deepcopy(holder[key]))
    else:
        holder[key] = [holder[key]] if kind == "wrap in a list" else {"k": holder[key]}
    return document


def _holder(document: Any, path: Path) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


def _shown(path: Path) -> str:
    return ".".join(map(str, path))
