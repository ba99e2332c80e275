"""Pod and group templates with their variables put in (spec 4.6, 4.7). Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final

from osmo_agent.kubernetes.names import user_container
from osmo_domain.configuration.pod_templates import Template
from osmo_domain.plan import Resources, TaskPlan
from osmo_domain.spec.render import render

_ARRAY: Final = re.compile(r"ARRAY:\[(.*)\]", re.DOTALL)
_POWERS: Final = {"Ti": 40, "Gi": 30, "Mi": 20, "Ki": 10, "B": 0}
_CACHE_SHARE: Final = 0.9


def rendered(value: Any, variables: Mapping[str, Any]) -> Any:
    """The template with every text in it rendered: values, not keys. Refused with `template.*` where that cannot be done."""
    if isinstance(value, str):
        return _text(value, variables)
    if isinstance(value, Mapping):
        return {key: rendered(each, variables) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rendered(each, variables) for each in value]
    return value


def _text(text: str, variables: Mapping[str, Any]) -> str | list[str]:
    done = render(text, variables) if "{" in text else text
    found = _ARRAY.fullmatch(done.strip())
    if found is None:
        return done
    return [part.strip() for part in found[1].split(",") if part.strip()]


def group_variables(labels: Mapping[str, str]) -> dict[str, str]:
    """`WF_*`, from the labels: `osmo.workflow_x` is WF_X, `osmo.y` is WF_Y."""
    own = {key.removeprefix("osmo."): value for key, value in labels.items() if key.startswith("osmo.")}
    return {f"WF_{key.removeprefix('workflow_').upper()}": value for key, value in own.items() if key != "backend"}


def task_variables(task: TaskPlan, defaults: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """`defaults` are the pool's and the platform's. What the task asks for goes before them, what it does not ask for does not."""
    asked = task.resources
    own: dict[str, Any] = {
        "USER_CONTAINER_NAME": user_container(task.name),
        "USER_EXCLUDED_NODES": f"ARRAY:[{','.join(asked.nodes_excluded)}]",
        **group_variables(labels),
    }
    return {**_nothing_asked(), **defaults, **_asked(asked), **own}


def _nothing_asked() -> dict[str, Any]:
    return {
        "USER_CPU": 0.0,
        "USER_GPU": 0,
        **_forms("USER_MEMORY", 0),
        **_forms("USER_STORAGE", 0),
        "USER_CACHE": "0",
    }


def _asked(asked: Resources) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if asked.cpu:
        values["USER_CPU"] = float(asked.cpu)
    if asked.gpu:
        values["USER_GPU"] = asked.gpu
    if asked.memory_bytes:
        values |= _forms("USER_MEMORY", asked.memory_bytes)
    if asked.storage_bytes:
        values |= _forms("USER_STORAGE", asked.storage_bytes)
        values["USER_CACHE"] = quantity(int(asked.storage_bytes * _CACHE_SHARE) >> 20 << 20)
    return values


def _forms(name: str, amount: int) -> dict[str, Any]:
    unit = _unit(amount)
    return {
        name: quantity(amount),
        f"{name}_VAL": str(amount >> _POWERS[unit]),
        f"{name}_UNIT": unit,
        f"{name}_m": amount * 1024,
        **{f"{name}_{each}": amount / (1 << power) for each, power in _POWERS.items()},
    }


def quantity(amount: int) -> str:
    """As Kubernetes reads it: `16Gi`, `1000`."""
    unit = _unit(amount)
    return f"{amount >> _POWERS[unit]}{'' if unit == 'B' else unit}"


def _unit(amount: int) -> str:
    """The largest that leaves a whole number."""
    return next((unit for unit, power in _POWERS.items() if amount and amount % (1 << power) == 0), "B")


def named_only(template: Template) -> Template:
    """Without what no template may say."""
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if key != "namespace"}
    return {**template, "metadata": metadata}
