"""What a map of the spec may hold, said once: reading, checking and explaining all come from the same tables.

A `Type` reads a node into a value or refuses it with its place. A `MapType` is a table of `Key`s; it makes a model object of a map, and
refuses keys that it does not know with the nearest one that it does.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Generic, TypeVar

from osmo_domain.spec.tree import ListNode, MapNode, Node, ScalarNode, has_value, refused, words_for

T = TypeVar("T")

REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Type(Generic[T]):
    """`words` says what is expected, for errors and for `explain`; `read` gives the value of a node or raises Rejected.

    `rules` are sentences about what `read` refuses beyond the type. `of` is the type of what it holds: of the items of a list, of the
    values of a map; `step` is how a path goes on to it.
    """

    words: str
    read: Callable[[Node], T]
    rules: tuple[str, ...] = ()
    of: Any = None
    step: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a map. `field` is the model's name for it; `default` REQUIRED means that it must be there; `rules` are sentences about what
    holds for this key and not for its type everywhere."""

    name: str
    type: Any
    doc: str
    default: Any = None
    field: str = ""
    rules: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        return self.field or self.name


class MapType(Generic[T]):
    """`make` takes the fields and `source`, the node, so that later rules can point at a place. `check` looks at the whole map, and `rules`
    are sentences about what it refuses.

    A key that is there without a value counts as one that is not there.
    """

    def __init__(
        self,
        what: str,
        make: Callable[..., T],
        keys: Iterable[Key],
        check: Callable[[T], None] | None = None,
        rules: tuple[str, ...] = (),
    ) -> None:
        self.what = what
        self.rules = rules
        self.words = f"a map ({what})"
        self.keys = tuple(keys)
        self._make = make
        self._check = check
        self._by_name = {key.name: key for key in self.keys}
        self._required = tuple(key for key in self.keys if key.default is REQUIRED)

    def read(self, node: Node) -> T:
        if not isinstance(node, MapNode):
            raise expected(node, self.words)
        fields: dict[str, Any] = {"source": node}
        for name, (place, value) in node.entries.items():
            key = self._by_name.get(name)  # type: ignore[arg-type]
            if key is None:
                raise self._unknown(place)
            if has_value(value):
                fields[key.target] = key.type.read(value)
        for key in self._required:
            if key.target not in fields:
                raise refused(node.at(key.name), "spec.missing_key", f"The {self.what} has no `{key.name}`: {key.doc}")
        made = self._make(**fields)
        if self._check is not None:
            self._check(made)
        return made

    def _unknown(self, place: ScalarNode) -> Exception:
        name = str(place.value)
        close = nearest(name, self._by_name)
        meant = f" Did you mean `{close}`?" if close else f" It may have {', '.join(self._by_name)}."
        return refused(place, "spec.unknown_key", f"The {self.what} has no key `{name}`.{meant}")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, whatever its case and separators."""
    by_letters = {_letters(one): one for one in known}
    close = get_close_matches(_letters(name), by_letters, n=1, cutoff=0.65)
    return by_letters[close[0]] if close else None


def _letters(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def list_of(item: Any, *, words: str = "", at_least: int = 0) -> Type[tuple[Any, ...]]:
    said = words or f"a list, each of it {item.words}"
    read_item = item.read

    def read(node: Node) -> tuple[Any, ...]:
        if not isinstance(node, ListNode):
            raise expected(node, said)
        if len(node.items) < at_least:
            raise refused(node, "spec.empty", f"This must be {said} and not be empty.")
        return tuple(read_item(one) for one in node.items)

    return Type(said, read, of=item, step="[]")


def map_of(item: Any, *, words: str = "") -> Type[dict[str, Any]]:
    """Any keys; the values of one type."""
    said = words or f"a map, each value {item.words}"
    read_item = item.read

    def read(node: Node) -> dict[str, Any]:
        if not isinstance(node, MapNode):
            raise expected(node, said)
        return {str(key): read_item(value) for key, (_, value) in node.entries.items()}

    return Type(said, read, of=item, step=".<name>")


def expected(node: Node, words: str) -> Exception:
    return refused(node, "spec.type", f"This must be {words}, and it is {words_for(node)}.")
