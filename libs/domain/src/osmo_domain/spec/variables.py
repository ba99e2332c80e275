"""The variables of a template: `default-values`, then `--set`, then `--set-string`; the later wins."""

from collections.abc import Callable, Iterable
from typing import Any, Concatenate, ParamSpec, TypeVar

from osmo_domain.errors import Rejected
from osmo_domain.spec.parse import parse_yaml
from osmo_domain.spec.sections import Section, Sections
from osmo_domain.spec.tree import MapNode, plain

P = ParamSpec("P")
T = TypeVar("T")


def section_variables(
    sections: Sections, set_variables: Iterable[str] = (), set_string_variables: Iterable[str] = ()
) -> dict[str, Any]:
    """The variables of a file's template. Lines in refusals count in the whole file."""
    defaults = sections.default_values
    if defaults is None:
        return template_variables(None, set_variables, set_string_variables)
    return in_section(defaults, template_variables, set_variables, set_string_variables)


def in_section(section: Section, step: Callable[Concatenate[str, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one step on a section's text; a refusal's line then counts in the file."""
    try:
        return step(section.text, *args, **kwargs)
    except Rejected as error:
        if error.line is not None:
            error.line += section.line - 1
        raise


def template_variables(
    default_values: str | None, set_variables: Iterable[str] = (), set_string_variables: Iterable[str] = ()
) -> dict[str, Any]:
    """`default_values` is the text of that section, its key included; places in errors count within it."""
    variables = read_defaults(default_values) if default_values is not None else {}
    for option in set_variables:
        name, value = _split(option, "--set")
        variables[name] = _cast(value)
    for option in set_string_variables:
        name, value = _split(option, "--set-string")
        variables[name] = value
    return variables


def read_defaults(text: str) -> dict[str, Any]:
    root = parse_yaml(text)
    values = root.get("default-values") if isinstance(root, MapNode) else None
    if values is None or plain(values) is None:
        return {}
    if not isinstance(values, MapNode):
        raise Rejected(
            "template.defaults",
            "`default-values` must be a map of variable names to values.",
            error_code="USER",
            line=values.line,
            column=values.column,
        )
    return {str(key): value for key, value in plain(values).items()}


def _split(option: str, flag: str) -> tuple[str, str]:
    name, equals, value = option.partition("=")
    if not equals:
        raise Rejected("template.set", f'{flag} "{option}" has no "=": write name=value.', error_code="USAGE")
    return name, value


def _cast(text: str) -> int | float | str:
    """As the reference does: a whole number, else a number, else text; `--set-string` is for versions and the like."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
