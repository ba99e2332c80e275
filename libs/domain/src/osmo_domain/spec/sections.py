"""Cuts a spec file into its top-level sections before anything is parsed, because a template is not YAML until it is rendered."""

import re
from difflib import get_close_matches
from typing import Final

from msgspec import Struct

from osmo_domain.errors import Rejected

KEYS: Final = ("workflow", "default-values", "version")
_SECTION: Final = re.compile(r"^([a-zA-Z][a-zA-Z0-9_-]*):", re.MULTILINE)


class Section(Struct, frozen=True):
    """One top-level key and everything below it. `line` is where it begins in the file, from 1."""

    text: str
    line: int


class Sections(Struct, frozen=True):
    workflow: Section
    default_values: Section | None = None


def split_sections(text: str) -> Sections:
    """A section begins at a key in the first column and ends before the next. What stands before the first one is dropped."""
    found: dict[str, Section] = {}
    starts = list(_SECTION.finditer(text))
    for number, start in enumerate(starts):
        end = starts[number + 1].start() if number + 1 < len(starts) else len(text)
        section = Section(text[start.start() : end], text.count("\n", 0, start.start()) + 1)
        _check(start[1], section, found)
        found[start[1]] = section
    if "workflow" not in found:
        raise Rejected("spec.no_workflow", "There is no top-level key `workflow` in this file.", error_code="USER")
    return Sections(found["workflow"], found.get("default-values"))


def _check(key: str, section: Section, found: dict[str, Section]) -> None:
    if key not in KEYS:
        raise Rejected(
            "spec.unknown_section",
            f"Unknown top-level key `{key}`{_guess(key)}: a spec has only {', '.join(KEYS)} in the first column.",
            error_code="USER",
            line=section.line,
            column=1,
        )
    if key in found:
        raise Rejected(
            "spec.duplicate_section",
            f"Top-level key `{key}` stands twice; the first is in line {found[key].line}.",
            error_code="USER",
            line=section.line,
            column=1,
        )


def _guess(key: str) -> str:
    close = get_close_matches(key, KEYS, n=1)
    return f" (did you mean `{close[0]}`?)" if close else ""
