"""YAML to a tree with places, from libyaml's events, without recursion: a hostile text costs time in proportion to its length.

Refused, each with its place: what is not YAML, a second document, duplicate keys, nesting beyond 100, aliases that expand to
more than `MOST_ALIASED` nodes or to themselves, and tags that only a program could want. Anchors and merge keys work.
"""

from typing import Any, Final

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from osmo_domain.errors import Rejected
from osmo_domain.spec.libyaml import make_parser
from osmo_domain.spec.scalars import meaning, typed
from osmo_domain.spec.tree import ListNode, MapNode, Node, ScalarNode

MOST_ALIASED: Final = 200_000
DEEPEST: Final = 100
_STANDARD: Final = "tag:yaml.org,2002:"
_SCALAR_TAGS: Final = frozenset({"str", "int", "float", "bool", "null", "timestamp"})
_MERGE: Final = "<<"


def parse_yaml(text: str) -> Node | None:
    """The one document of the text, None for an empty one. Refused with `yaml.*`, class USAGE."""
    try:
        return _Composer(text).document()
    except MarkedYAMLError as error:
        raise _syntax(error) from error
    except (YAMLError, UnicodeError) as error:
        raise Rejected("yaml.syntax", f"This is not YAML: {str(error).splitlines()[0]}.", error_code="USAGE") from error


def _syntax(error: MarkedYAMLError) -> Rejected:
    mark = error.problem_mark or error.context_mark
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return Rejected(
        "yaml.syntax",
        f"This is not YAML: {said}.",
        error_code="USAGE",
        line=mark.line + 1 if mark else None,
        column=mark.column + 1 if mark else None,
    )


class _Open:
    """A list or map whose end has not come. `key` is set between a key and its value."""

    __slots__ = ("anchor", "before", "key", "merges", "node")

    def __init__(self, node: ListNode | MapNode, anchor: str | None, before: int) -> None:
        self.node = node
        self.anchor = anchor
        self.before = before
        self.key: ScalarNode | None = None
        self.merges: list[Node] = []


class _Composer:
    """Builds the tree of one text. `count` is how many nodes there are, with every alias written out."""

    def __init__(self, text: str) -> None:
        self._next: Any = make_parser(text).get_event
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._root: Node | None = None
        self._count = 0
        self._aliased = 0

    def document(self) -> Node | None:
        documents = 0
        while True:
            event = self._next()
            kind = type(event)
            if kind is ScalarEvent:
                self._scalar(event)
            elif kind is MappingStartEvent:
                self._start(event, MapNode({}, event.start_mark.line + 1, event.start_mark.column + 1), "map")
            elif kind is SequenceStartEvent:
                self._start(event, ListNode([], event.start_mark.line + 1, event.start_mark.column + 1), "seq")
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._end()
            elif kind is AliasEvent:
                self._alias(event)
            elif kind is DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise _at(event, "yaml.documents", "There is a second YAML document here (`---`); a spec is one.")
            elif kind is StreamEndEvent:
                return self._root

    def _scalar(self, event: Any) -> None:
        mark = event.start_mark
        word = event.value
        try:
            if event.implicit[0]:
                value = meaning(word)
            else:
                value = word if event.tag is None or event.tag == "!" else typed(word, _scalar_tag(event))
        except (ValueError, OverflowError) as error:
            raise _at(event, "yaml.value", f'"{word[:40]}" is not a value: {error}.') from error
        node = ScalarNode(value, mark.line + 1, mark.column + 1)
        self._count += 1
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, 1)
        if word == _MERGE and event.implicit[0] and self._expects_key():
            self._stack[-1].key = _MERGE_KEY
        else:
            self._add(node)

    def _expects_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].node, MapNode) and self._stack[-1].key is None

    def _start(self, event: Any, node: ListNode | MapNode, tag: str) -> None:
        if len(self._stack) >= DEEPEST:
            raise _at(event, "yaml.depth", f"This is nested more than {DEEPEST} levels deep.")
        if event.tag not in (None, "!", _STANDARD + tag):
            raise _at(event, "yaml.tag", f"The tag {event.tag} means nothing here.")
        if self._expects_key():
            raise _at(
                event, "yaml.key", "A key must be a single word, not a list or a map (is a template unrendered?)."
            )
        self._stack.append(_Open(node, event.anchor, self._count))
        self._count += 1

    def _end(self) -> None:
        ended = self._stack.pop()
        if ended.merges and isinstance(ended.node, MapNode):
            _merge(ended.node, ended.merges)
        if ended.anchor is not None:
            self._anchors[ended.anchor] = (ended.node, self._count - ended.before)
        self._add(ended.node)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise _at(event, "yaml.alias", f"No anchor &{event.anchor} has ended before this place.")
        node, size = self._anchors[event.anchor]
        self._count += size
        self._aliased += size
        if self._aliased > MOST_ALIASED:
            raise _at(event, "yaml.aliases", f"The aliases of this text expand to more than {MOST_ALIASED} values.")
        self._add(node)

    def _add(self, node: Node) -> None:
        if not self._stack:
            self._root = node
            return
        top = self._stack[-1]
        if isinstance(top.node, ListNode):
            top.node.items.append(node)
        elif top.key is None:
            top.key = _key(node)
        elif top.key is _MERGE_KEY:
            top.merges.extend(_merged_maps(node))
            top.key = None
        else:
            _set(top.node, top.key, node)
            top.key = None


_MERGE_KEY: Final = ScalarNode(_MERGE, 0, 0)


def _set(node: MapNode, key: ScalarNode, value: Node) -> None:
    if key.value in node.entries:
        first = node.entries[key.value][0]
        raise Rejected(
            "yaml.duplicate_key",
            f"The key `{key.value}` stands twice in the same map; the first is in line {first.line}.",
            error_code="USAGE",
            line=key.line,
            column=key.column,
        )
    node.entries[key.value] = (key, value)


def _key(node: Node) -> ScalarNode:
    """A key. Only an alias can bring something else here."""
    if isinstance(node, ScalarNode):
        return node
    raise Rejected("yaml.key", "A key must be a single word.", error_code="USAGE", line=node.line, column=node.column)


def _merged_maps(node: Node) -> list[Node]:
    maps: list[Node] = list(node.items) if isinstance(node, ListNode) else [node]
    for one in maps:
        if not isinstance(one, MapNode):
            raise Rejected(
                "yaml.merge",
                "What `<<` merges must be a map or a list of maps.",
                error_code="USAGE",
                line=one.line,
                column=one.column,
            )
    return maps


def _merge(node: MapNode, merges: list[Node]) -> None:
    """What the map says itself wins, then the earlier of the merged maps."""
    own = node.entries
    merged = {}
    for one in reversed(merges):
        if isinstance(one, MapNode):
            merged.update(one.entries)
    merged.update(own)
    node.entries = merged


def _scalar_tag(event: Any) -> str:
    tag = str(event.tag).removeprefix(_STANDARD)
    if tag not in _SCALAR_TAGS:
        raise _at(event, "yaml.tag", f"The tag {event.tag} means nothing here.")
    return tag


def _at(event: Any, code: str, message: str) -> Rejected:
    mark = event.start_mark
    return Rejected(code, message, error_code="USAGE", line=mark.line + 1, column=mark.column + 1)
