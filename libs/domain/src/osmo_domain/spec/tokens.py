"""Tokens like `{{output}}` that a spec may hold beside Jinja, and that get their values later than Jinja's variables.

`output` and `input:...` are replaced when the plan is made, `workflow_id` and `uuid` when the ids are known, `host:...` where the task
runs. While Jinja renders, their braces are stood in for by two code points that no text may hold, so that Jinja cannot see them.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_KEPT: Final = re.compile(
    r"\{\{(uuid|workflow_id|output|(?:input|host):(?:[^{}\n]|\{\{[^{}\n]*\}\})+)\}\}",
)
_MARKERS: Final = ("{{", "{%", "{#")
_VALUE: Final = re.compile(r"\{\{ *(workflow_id|uuid|output|input:[^{}\n]*?) *\}\}")

WORKFLOW_ID: Final = "{{workflow_id}}"
UUID: Final = "{{uuid}}"


def hide_tokens(text: str) -> str:
    """The text with every token out of Jinja's sight. A Jinja expression inside one (`{{host:worker-{{i}}}}`) stays in sight."""
    return _KEPT.sub(rf"{_OPEN}\1{_CLOSE}", text) if "{{" in text else text


def show_tokens(text: str) -> str:
    return text.replace(_OPEN, "{{").replace(_CLOSE, "}}") if _OPEN in text else text


def has_jinja(text: str) -> bool:
    """Whether rendering would change anything."""
    return any(marker in text for marker in _MARKERS) and any(marker in hide_tokens(text) for marker in _MARKERS)


def replace_tokens(text: str, values: Mapping[str, str]) -> str:
    """Each known token as its value; `workflow_id` and `uuid` that have none yet in their one spelling; others as they are."""
    if "{{" not in text:
        return text
    return _VALUE.sub(_replacement(values), text)


def _replacement(values: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    def replace(found: re.Match[str]) -> str:
        known = values.get(found[1])
        if known is not None:
            return known
        return "{{" + found[1] + "}}" if found[1] in ("workflow_id", "uuid") else found[0]

    return replace
