"""PATCH as the reference has it: a strategic merge of JSON values."""

from typing import Any, Final

from osmo_domain.errors import Rejected

_ACTION: Final = "$action"
_INDEX: Final = "$index"
_GONE: Final = object()
_DEEPEST: Final = 64


def merge_patch(current: Any, patch: Any, *, depth: int = 0) -> Any:
    """`current` with `patch` over it; neither is changed.

    Maps merge key by key, and `{"$action": "delete"}` removes its key. A list of maps changes the items that its `$index` names (merge, or
    `$action` replace or delete) and appends the others. Everything else replaces.
    """
    if depth > _DEEPEST:
        raise _refused(f"is nested deeper than {_DEEPEST} levels")
    if isinstance(patch, dict):
        return _merge_map(current if isinstance(current, dict) else {}, patch, depth)
    if isinstance(patch, list) and patch and all(isinstance(item, dict) for item in patch):
        return _merge_list(current if isinstance(current, list) else [], patch, depth)
    return patch


def _merge_map(current: dict[str, Any], patch: dict[str, Any], depth: int) -> dict[str, Any]:
    merged = dict(current)
    for key, value in patch.items():
        if isinstance(value, dict) and value.get(_ACTION) == "delete":
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value, depth=depth + 1)
    return merged


def _merge_list(current: list[Any], patch: list[dict[str, Any]], depth: int) -> list[Any]:
    merged: list[Any] = list(current)
    appended = []
    for item in patch:
        plain = {key: value for key, value in item.items() if key not in (_ACTION, _INDEX)}
        if _INDEX not in item:
            appended.append(merge_patch(None, plain, depth=depth + 1))
            continue
        place = _place(item[_INDEX], len(current))
        merged[place] = _changed(merged[place], plain, item.get(_ACTION, "merge"), depth)
    return [item for item in merged if item is not _GONE] + appended


def _place(index: object, length: int) -> int:
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < length:
        raise _refused(f"names the item {index} of a list that has {length}")
    return index


def _changed(item: Any, plain: dict[str, Any], action: object, depth: int) -> Any:
    if action == "delete":
        return _GONE
    if action == "replace":
        return plain
    if action != "merge":
        raise _refused(f'has the action "{action}"; there are merge, replace and delete')
    return merge_patch(item, plain, depth=depth + 1)


def _refused(why: str) -> Rejected:
    return Rejected("config.bad_patch", f"The patch {why}.")
