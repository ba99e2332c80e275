"""A YAML document as a tree in which every node knows its place. Lines and columns count from 1."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from osmo_domain.errors import ErrorCode, Rejected

Scalar = None | bool | int | float | str | date
"""What a scalar can mean; a timestamp is a date or a datetime."""


class ScalarNode:
    __slots__ = ("column", "line", "value")

    def __init__(self, value: Scalar, line: int, column: int) -> None:
        self.value = value
        self.line = line
        self.column = column


class ListNode:
    __slots__ = ("column", "items", "line")

    def __init__(self, items: "list[Node]", line: int, column: int) -> None:
        self.items = items
        self.line = line
        self.column = column


class MapNode:
    """`entries` maps what a key means to (key, value), in the order of the text."""

    __slots__ = ("column", "entries", "line")

    def __init__(self, entries: "dict[Scalar, tuple[ScalarNode, Node]]", line: int, column: int) -> None:
        self.entries = entries
        self.line = line
        self.column = column

    def get(self, key: str) -> "Node | None":
        entry = self.entries.get(key)
        return entry[1] if entry is not None else None

    def at(self, key: str) -> "Node":
        """The value of the key, or the map itself where there is none: the place to point at."""
        return self.get(key) or self


Node = ScalarNode | ListNode | MapNode


def has_value(node: Node | None) -> bool:
    """Whether something stands there. A key with nothing behind it counts as one that is not there."""
    return node is not None and not (isinstance(node, ScalarNode) and node.value is None)


def refused(node: Node, code: str, message: str, error_code: ErrorCode = "USAGE") -> Rejected:
    """The refusal of what stands at this node."""
    return Rejected(code, message, error_code=error_code, line=node.line, column=node.column)


def plain(node: Node) -> Any:
    """The tree as dicts, lists and scalars. Nodes that were shared by aliases are shared."""
    return _plain(node, {})


def _plain(node: Node, made: dict[int, Any]) -> Any:
    if isinstance(node, ScalarNode):
        return node.value
    if id(node) not in made:
        if isinstance(node, ListNode):
            made[id(node)] = [_plain(item, made) for item in node.items]
        else:
            made[id(node)] = {key: _plain(value, made) for key, (_, value) in node.entries.items()}
    return made[id(node)]


def words_for(node: Node) -> str:
    """What stands there, for a sentence: `the text "yes please"`, `true or false`, `a list`."""
    if isinstance(node, ListNode):
        return "a list"
    if isinstance(node, MapNode):
        return "a map"
    value = node.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the yes-or-no value {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f'the text "{value if len(value) <= 40 else value[:37] + "..."}"'
    return f"the date {value}"


def find_path(root: Node, line: int, column: int) -> str | None:
    """The path of keys to the node at this place (`workflow.tasks[2].image`), or None. The innermost wins; aliases count once."""
    best: str | None = None
    seen: set[int] = set()
    stack: list[tuple[str, Node]] = [("", root)]
    while stack:
        path, node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if (node.line, node.column) == (line, column) and len(path) >= len(best or ""):
            best = path
        for step, place, child in _children(node):
            if (place.line, place.column) == (line, column):
                best = f"{path}{step}"
            stack.append((f"{path}{step}", child))
    return best.removeprefix(".") if best is not None else None


def _children(node: Node) -> Iterator[tuple[str, Node, Node]]:
    if isinstance(node, ListNode):
        for number, item in enumerate(node.items):
            yield f"[{number}]", item, item
    elif isinstance(node, MapNode):
        for key, (place, value) in node.entries.items():
            yield f".{key}", place, value
