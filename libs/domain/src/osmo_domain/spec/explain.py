"""What a key of a spec means, from the tables that read and check it. Needs no server and no workflow."""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, Final

from msgspec import Struct

from osmo_domain.errors import Rejected
from osmo_domain.spec import types as t
from osmo_domain.spec.keys import WORKFLOW
from osmo_domain.spec.schema import REQUIRED, Key, MapType, map_of

DOCUMENT: Final[MapType[dict[str, Any]]] = MapType(
    "spec",
    dict,
    [
        Key("workflow", WORKFLOW, "What runs. The only part in which templates are carried out.", REQUIRED),
        Key(
            "default-values",
            map_of(t.STRINGIFIED, words="a map of variable names to values"),
            "Values of the template's variables, where `--set` and `--set-string` give none.",
            {},
            rules=("It is read as it stands: no template is carried out in it.",),
        ),
        Key("version", t.WHOLE, "Has no effect: there is one version of specs, 2.", 2),
    ],
    rules=("Nothing else may stand in the first column.",),
)
"""The whole file. `sections` cuts it apart before anything is parsed, so that this table explains and does not read."""

_INDEX: Final = re.compile(r"\[[^\]]*\]")


class KeyLine(Struct, frozen=True):
    """One key of a map, in a line."""

    name: str
    type: str
    default: str
    doc: str


class Topic(Struct, frozen=True):
    """Everything about one place in a spec. `path` is the place as it is written in full; `keys` are those of the map that stands there."""

    path: str
    doc: str
    type: str
    default: str
    rules: tuple[str, ...] = ()
    keys: tuple[KeyLine, ...] = ()


def explain(path: str = "") -> Topic:
    """The topic at a path like `workflow.tasks.checkpoint`; the whole file for an empty one. Refused with `explain.unknown`."""
    parts = [part for part in _INDEX.sub("", path).split(".") if part]
    if parts and parts[0] not in _keys(DOCUMENT):
        parts = ["workflow", *parts]
    key, written = Key("", DOCUMENT, "A workflow: a YAML file, usually with templates in it."), ""
    inner: Any = DOCUMENT
    takes_a_name = False
    for part in parts:
        known = _keys(inner)
        if part in known:
            key = known[part]
            inner, written = _inside(key.type, f"{written}.{part}".lstrip("."))
            takes_a_name = written.endswith(".<name>")
        elif takes_a_name:
            takes_a_name = False
        else:
            raise _unknown(path, parts)
    return _topic(key, written, inner)


def all_paths() -> list[str]:
    """Every path that can be explained, shortest first."""
    return sorted(_paths(DOCUMENT, ""), key=lambda path: (path.count("."), path))


def _paths(inner: Any, before: str) -> Iterator[str]:
    for name, key in _keys(inner).items():
        path = f"{before}{name}"
        yield path
        yield from _paths(_inside(key.type, "")[0], f"{path}.")


def _inside(kind: Any, written: str) -> tuple[Any, str]:
    """Through lists and maps of free names to what they hold, and the path to there."""
    while not isinstance(kind, MapType) and kind.of is not None:
        written += kind.step
        kind = kind.of
    return kind, written


def _keys(kind: Any) -> dict[str, Key]:
    return {key.name: key for key in kind.keys} if isinstance(kind, MapType) else {}


def _topic(key: Key, written: str, inner: Any) -> Topic:
    return Topic(
        path=written,
        doc=key.doc,
        type=key.type.words,
        default=_default(key),
        rules=tuple(dict.fromkeys((*key.rules, *_rules(key.type)))),
        keys=tuple(KeyLine(one.name, one.type.words, _default(one), one.doc) for one in _keys(inner).values()),
    )


def _rules(kind: Any) -> Iterator[str]:
    """Those of the type and of what it holds."""
    while kind is not None:
        yield from kind.rules
        kind = None if isinstance(kind, MapType) else kind.of


def _default(key: Key) -> str:
    if key.default is REQUIRED:
        return "required"
    if key.default is None or key.default in ("", (), {}):
        return "none"
    return str(key.default).lower() if isinstance(key.default, bool) else str(key.default)


def _unknown(path: str, parts: list[str]) -> Rejected:
    close = _close(".".join(parts))
    meant = f" Did you mean {' or '.join(f'`{one}`' for one in close)}?" if close else ""
    return Rejected("explain.unknown", f"A spec has nothing at `{path}`.{meant}")


def _close(path: str) -> list[str]:
    """Up to three paths that were probably meant: those that end alike, else those that look alike."""
    known = all_paths()
    last = path.rpartition(".")[2].lower()
    alike = [one for one in known if one.rpartition(".")[2].lower() == last]
    return _best(path, alike) if alike else get_close_matches(path, known, n=3, cutoff=0.7)


def _best(path: str, known: Iterable[str]) -> list[str]:
    return get_close_matches(path, list(known), n=3, cutoff=0)
