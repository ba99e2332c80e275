"""Pod templates: how several become one, and what of the one concerns us (spec 4.4, 4.6)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from osmo_domain.errors import Rejected
from osmo_domain.pool import ControlRequests, Toleration
from osmo_domain.quantities import parse_quantity

CONTROL: Final = "osmo-ctrl"
_UNSAID_STORAGE: Final = 1 << 30
"""What the reference counts for the control container where its template has requests, but none of storage."""

Template = dict[str, Any]


def merge_templates(templates: Iterable[Template]) -> Template:
    """The templates over each other, in order. None of them is changed."""
    merged: Template = {}
    for template in templates:
        merged = merge_pod(merged, template)
    return merged


def merge_pod(under: Mapping[str, Any], over: Mapping[str, Any]) -> Template:
    """Maps merge; lists merge by the `name` of their items, and items without a name are appended; everything else is replaced."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = merge_pod(below, value)
        elif isinstance(below, list) and isinstance(value, list):
            merged[key] = _merge_lists(below, value)
        else:
            merged[key] = value
    return merged


def _merge_lists(under: list[Any], over: list[Any]) -> list[Any]:
    merged = list(under)
    for item in over:
        place = _place_of(item, merged)
        if place is None:
            merged.append(item)
        else:
            merged[place] = merge_pod(merged[place], item)
    return merged


def _place_of(item: Any, items: list[Any]) -> int | None:
    name = item.get("name") if isinstance(item, dict) else None
    if name is None:
        return None
    return next((n for n, one in enumerate(items) if isinstance(one, dict) and one.get("name") == name), None)


def pod_spec(template: Template) -> Mapping[str, Any]:
    spec = template.get("spec")
    return spec if isinstance(spec, dict) else {}


def node_labels(template: Template) -> dict[str, str]:
    """What the template selects nodes by. Refused (`config.bad_template`) where that is not plain text."""
    selector = pod_spec(template).get("nodeSelector") or {}
    if not isinstance(selector, dict):
        raise _refused("`spec.nodeSelector` is not a map of labels")
    for key, value in selector.items():
        if not isinstance(value, str):
            raise _refused(f"the node label {key} has a value that is not text")
        if "{{" in value or "{{" in key:
            raise _refused(f"the node label {key} depends on variables, so no node can be told to have it")
    return dict(selector)


def tolerations(template: Template) -> tuple[Toleration, ...]:
    try:
        found = msgspec.convert(pod_spec(template).get("tolerations") or [], tuple[Toleration, ...])
    except msgspec.ValidationError as error:
        raise _refused(f"`spec.tolerations` cannot be read: {error}") from error
    for toleration in found:
        if toleration.operator not in ("Equal", "Exists"):
            raise _refused(f'a toleration has the operator "{toleration.operator}"; there are Equal and Exists')
    return found


def mount_paths(template: Template) -> tuple[str, ...]:
    """Where the template mounts volumes into containers other than the control container."""
    paths = (
        str(mount["mountPath"])
        for container in containers(template)
        if container.get("name") != CONTROL
        for mount in _maps(container.get("volumeMounts"))
        if mount.get("mountPath")
    )
    return tuple(dict.fromkeys(paths))


def containers(template: Template) -> Iterator[Mapping[str, Any]]:
    yield from _maps(pod_spec(template).get("containers"))


def control_requests(template: Template) -> ControlRequests:
    """Nothing where no template says what the control container asks for, or only in variables."""
    for container in containers(template):
        resources = container.get("resources") if container.get("name") == CONTROL else None
        if isinstance(resources, dict) and resources:
            return _requests(resources.get("requests"))
    return ControlRequests()


def _requests(requests: Any) -> ControlRequests:
    asked = requests if isinstance(requests, dict) else {}
    storage = asked.get("ephemeral-storage")
    return ControlRequests(
        cpu=_cpus(asked.get("cpu")),
        memory_bytes=_bytes(asked.get("memory")),
        storage_bytes=_UNSAID_STORAGE if storage is None else _bytes(storage),
    )


def _cpus(amount: Any) -> float:
    text = str(amount if amount is not None else 0)
    if "{{" in text:
        return 0
    try:
        return float(text[:-1]) / 1000 if text.endswith("m") else float(text)
    except ValueError as error:
        raise _refused(f'the control container asks for "{amount}" CPUs') from error


def _bytes(amount: Any) -> int:
    text = str(amount if amount is not None else 0)
    if "{{" in text:
        return 0
    try:
        return parse_quantity(text)
    except Rejected as error:
        raise _refused(f"the control container's request cannot be read: {error.message}") from error


def _maps(items: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(items, list):
        yield from (item for item in items if isinstance(item, dict))


def _refused(why: str) -> Rejected:
    return Rejected("config.bad_template", f"The merged pod template will not do: {why}.")
