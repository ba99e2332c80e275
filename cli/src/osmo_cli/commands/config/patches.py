"""The patch that makes one JSON value of another, as the server merges them (strategic merge: `$action`, `$index`)."""

from typing import Any

MARKS = ("$action", "$index")


def make_patch(old: Any, new: Any, *, whole: bool) -> Any:
    """`whole`: what `new` does not have goes. Otherwise it stays, and `new` may hold the server's own marks."""
    if isinstance(old, dict) and isinstance(new, dict):
        return _patch_map(old, new, whole=whole)
    if isinstance(old, list) and _is_maps(new) and not _is_marked(new):
        return _patch_list(old, new)
    return new


def _patch_map(old: dict[str, Any], new: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    changes = {
        key: make_patch(old[key], value, whole=whole) if key in old else value
        for key, value in new.items()
        if key not in old or old[key] != value
    }
    gone = {key: {"$action": "delete"} for key in old if whole and key not in new}
    return {**changes, **gone}


def _patch_list(old: list[Any], new: list[Any]) -> list[Any]:
    """A list of maps is changed item by item, so that it ends up as it was written."""
    replaced = [
        {**value, "$index": number, "$action": "replace"}
        for number, value in enumerate(new[: len(old)])
        if old[number] != value
    ]
    deleted = [{"$index": number, "$action": "delete"} for number in range(len(new), len(old))]
    return [*replaced, *deleted, *new[len(old) :]]


def _is_maps(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _is_marked(items: list[Any]) -> bool:
    return any(mark in item for item in items for mark in MARKS)
