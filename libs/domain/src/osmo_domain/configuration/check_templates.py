"""Whether pod templates, group templates and resource validations can be used: their shape, and the syntax of the templates in their texts."""

import re
from collections.abc import Iterator
from typing import Any, Final

from jinja2.exceptions import TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from osmo_domain.configuration.pod_templates import node_labels, tolerations
from osmo_domain.configuration.refusals import refused, shaped
from osmo_domain.configuration.shapes import Assertions
from osmo_domain.errors import Rejected
from osmo_domain.spec.tokens import hide_tokens

_JINJA: Final = SandboxedEnvironment()
_MAPS: Final = ("metadata", "spec")
_LISTS: Final = ("containers", "initContainers", "volumes", "tolerations", "imagePullSecrets")
_NAMED: Final = ("containers", "initContainers", "volumes")
OPERATORS: Final = ("GT", "GE", "LT", "LE", "EQ")
_TOKEN: Final = re.compile(r"\{\{\s*([A-Za-z_]\w*)")
NODE_TOKENS: Final = frozenset({"K8_STORAGE", "K8_CPU", "K8_MEMORY", "K8_GPU", "K8_GPU_PRODUCT", "K8_GPU_CUDA_DRIVER"})


def check_pod_template(name: str, value: Any) -> None:
    """Refused with `config.bad_template` where this could not be a part of a pod."""
    template = _map(name, value)
    for key in _MAPS:
        if key in template and not isinstance(template[key], dict):
            raise _bad(name, f"`{key}` is not a map", key)
    if "kind" in template and template["kind"] != "Pod":
        raise _bad(name, f'its kind is "{template["kind"]}", and pods are made from it', "kind")
    spec = template.get("spec", {})
    for key in _LISTS:
        if key in spec and not isinstance(spec[key], list):
            raise _bad(name, f"`spec.{key}` is not a list", f"spec.{key}")
    for key in _NAMED:
        _check_named(name, spec.get(key, []), f"spec.{key}")
    _check_containers(name, spec)
    _check_texts(name, template)
    try:
        node_labels(template)
        tolerations(template)
    except Rejected as error:
        raise refused("bad_template", f"Template {name}: {error.message}", "spec") from error


def _check_named(name: str, items: list[Any], path: str) -> None:
    seen: set[str] = set()
    for number, item in enumerate(items):
        where = f"{path}[{number}]"
        title = item.get("name") if isinstance(item, dict) else None
        if not isinstance(title, str) or not title:
            raise _bad(name, f"`{where}` has no name", where)
        if title in seen:
            raise _bad(name, f'`{path}` has "{title}" twice', where)
        seen.add(title)


def _check_containers(name: str, spec: dict[str, Any]) -> None:
    for number, container in enumerate(spec.get("containers", [])):
        where = f"spec.containers[{number}]"
        for key, shape, what in (
            ("resources", dict, "a map"),
            ("env", list, "a list"),
            ("volumeMounts", list, "a list"),
        ):
            if key in container and not isinstance(container[key], shape):
                raise _bad(name, f"`{where}.{key}` is not {what}", f"{where}.{key}")
        _check_named(name, container.get("env", []), f"{where}.env")


def check_group_template(name: str, value: Any) -> None:
    template = _map(name, value)
    for key in ("apiVersion", "kind"):
        if not isinstance(template.get(key), str) or not template[key]:
            raise _bad(name, f"it has no `{key}`", key)
    metadata = template.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        raise _bad(name, "it has no `metadata.name`", "metadata.name")
    if "namespace" in metadata:
        raise _bad(name, "it names a namespace; objects are made in that of the backend", "metadata.namespace")
    _check_texts(name, template)


def check_resource_validation(name: str, value: Any) -> None:
    """Refused with `config.bad_assertion` or `config.bad_shape`."""
    rules = shaped(value, Assertions, f"Resource validation {name}")
    for number, rule in enumerate(rules):
        where = f"[{number}]"
        if rule.operator not in OPERATORS:
            raise refused(
                "bad_assertion",
                f'Rule {number + 1} of {name} has the operator "{rule.operator}"; there are {", ".join(OPERATORS)}.',
                f"{where}.operator",
            )
        for key in ("left_operand", "right_operand", "assert_message"):
            if problem := syntax_problem(getattr(rule, key)):
                raise refused("bad_assertion", f"Rule {number + 1} of {name}: {problem}.", f"{where}.{key}")
        for key in ("left_operand", "right_operand"):
            if not getattr(rule, key).strip():
                raise refused("bad_assertion", f"Rule {number + 1} of {name} has no {key}.", f"{where}.{key}")


def first_token(operand: str) -> str:
    """The first variable of an operand: it decides whether a rule is about nodes."""
    found = _TOKEN.search(operand)
    return found[1] if found else ""


def syntax_problem(text: str) -> str | None:
    try:
        _JINJA.parse(hide_tokens(text))
    except TemplateSyntaxError as error:
        return f'"{text[:80]}" is not a template: {error.message}'
    return None


def _check_texts(name: str, template: dict[str, Any]) -> None:
    for path, text in _texts(template, ""):
        if problem := syntax_problem(text):
            raise _bad(name, problem, path)


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _texts(one, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _texts(one, f"{path}[{number}]")


def _map(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise _bad(name, "it is not a map with anything in it", None)
    return value


def _bad(name: str, why: str, path: str | None) -> Rejected:
    return refused("bad_template", f"Template {name} will not do: {why}.", path)
