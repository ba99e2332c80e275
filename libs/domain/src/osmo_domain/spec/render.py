"""Renders the Jinja of a spec: sandboxed, with every undefined variable an error, and without a way to the outside.

Pure, but as slow and as large as its author wants: run it where time and memory are limited.
"""

import re
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final

from jinja2 import StrictUndefined
from jinja2.exceptions import SecurityError, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

from osmo_domain.errors import Rejected
from osmo_domain.spec.sections import Sections
from osmo_domain.spec.tokens import hide_tokens, show_tokens
from osmo_domain.spec.variables import in_section, section_variables

_FAULTS: Final = (
    TemplateError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What an expression of a user can raise while it is evaluated."""

_MARK_OPEN, _MARK_CLOSE = "\ufdd2", "\ufdd3"
_MARK: Final = re.compile(rf"{_MARK_OPEN}([0-9]+){_MARK_CLOSE}")


def _make_environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, cache_size=0)
    environment.globals.pop("lipsum")
    return environment


_ENVIRONMENT: Final = _make_environment()


def render(text: str, variables: Mapping[str, Any]) -> str:
    """The text with its Jinja carried out and its special tokens as they were. Refused with `template.*`, class USAGE."""
    return show_tokens(_render(hide_tokens(text), variables))


def render_sections(
    sections: Sections, set_variables: Iterable[str] = (), set_string_variables: Iterable[str] = ()
) -> str:
    """The rendered `workflow` section. Lines in refusals count in the whole file."""
    variables = section_variables(sections, set_variables, set_string_variables)
    return in_section(sections.workflow, render, variables)


def trace_sections(
    sections: Sections, set_variables: Iterable[str] = (), set_string_variables: Iterable[str] = ()
) -> list[int]:
    """For each line of the rendered `workflow` section, the line of the file it came from; empty where that cannot be told."""
    variables = section_variables(sections, set_variables, set_string_variables)
    lines = trace(sections.workflow.text, variables)
    return [line + sections.workflow.line - 1 for line in lines]


def trace(text: str, variables: Mapping[str, Any]) -> list[int]:
    """For each rendered line the line of `text` it came from: a second rendering, with a mark at the end of each source line."""
    hidden = hide_tokens(text)
    marked = _render(_mark_lines(hidden), variables)
    if _MARK.sub("", marked) != _render(hidden, variables):
        return []
    return _read_marks(marked)


def _render(text: str, variables: Mapping[str, Any]) -> str:
    try:
        rendered: str = _ENVIRONMENT.from_string(text).render(variables)
        return rendered
    except TemplateSyntaxError as error:
        said = f"The template is not Jinja: {_said(error)}{_hint(error)}"
        raise _refused("template.syntax", said, error.lineno) from error
    except UndefinedError as error:
        raise _refused(
            "template.undefined", f"The template uses what it does not have: {_said(error)}", _line(error)
        ) from error
    except SecurityError as error:
        raise _refused(
            "template.forbidden", f"The template does what it may not: {_said(error)}", _line(error)
        ) from error
    except MemoryError as error:
        raise _refused("template.limits", "The template was stopped: it needs too much memory.", None) from error
    except _FAULTS as error:
        raise _refused("template.failed", f"The template failed: {_said(error)}", _line(error)) from error


def _refused(code: str, message: str, line: int | None) -> Rejected:
    return Rejected(code, message, error_code="USAGE", line=line)


def _said(error: BaseException) -> str:
    """The first line of what the library says, with a full stop, and with tokens as the user wrote them."""
    words = show_tokens(str(error).split("\n", 1)[0].strip())[:400] or type(error).__name__
    return words if words.endswith(".") else f"{words}."


def _hint(error: TemplateSyntaxError) -> str:
    """What is usually meant: a shell's `${#name}` opens a comment of Jinja."""
    if "comment" not in str(error):
        return ""
    return " `{#` opens a comment, also in a shell's ${#name}: write {% raw %}${#name}{% endraw %}."


def _line(error: BaseException) -> int | None:
    """The template's line in which it was raised: Jinja rewrites tracebacks to say so."""
    found = None
    step: TracebackType | None = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == "<template>":
            found = step.tb_lineno
        step = step.tb_next
    return found


def _mark_lines(text: str) -> str:
    parts = []
    line = 1
    for line, kind, value in _ENVIRONMENT.lex(text):
        parts.append(_mark(value, line) if kind == "data" else value)
    end = text.count("\n") + 1
    return "".join(parts) + _mark("", end if not text.endswith("\n") else max(line, end - 1))


def _mark(value: str, line: int) -> str:
    marked = []
    for number, part in enumerate(value.split("\n")):
        marked.append(part if number == value.count("\n") else f"{part}{_MARK_OPEN}{line + number}{_MARK_CLOSE}")
    return "\n".join(marked) if value else f"{_MARK_OPEN}{line}{_MARK_CLOSE}"


def _read_marks(marked: str) -> list[int]:
    """A line without a mark came out of one expression together with the lines up to the next mark."""
    lines: list[int] = []
    unknown = 0
    for text in marked.split("\n"):
        found = _MARK.search(text)
        if found is None:
            unknown += 1
            continue
        lines += [int(found[1])] * (unknown + 1)
        unknown = 0
    return lines + [lines[-1] if lines else 1] * unknown
