"""Resource validations: rules of a pool on what its tasks may ask for (spec 4.8). Pure: the nodes are those that are known now.

Rules without a node in them are judged once for each kind of request. Rules about nodes (`K8_*`) must all hold on one node of the platform:
on what the node could give if none of our tasks ran there, so that a busy cluster changes nothing. While there is no node, they wait.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from osmo_domain.cluster import NodeFact
from osmo_domain.clusters import node_in_platform
from osmo_domain.configuration.check_templates import NODE_TOKENS, first_token
from osmo_domain.errors import ErrorCode, Rejected
from osmo_domain.pool import Platform, Pool, ResourceAssertion
from osmo_domain.quantities import UNITS, parse_quantity
from osmo_domain.spec.model import ResourceSpec, WorkflowSpec
from osmo_domain.spec.render import render
from osmo_domain.spec.rules import all_tasks
from osmo_domain.spec.tree import Node, refused

Values = Mapping[str, Any]

_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "GT": operator.gt,
    "GE": operator.ge,
    "LT": operator.lt,
    "LE": operator.le,
    "EQ": operator.eq,
}
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_QUANTITY: Final = re.compile(rf"[0-9]+(\.[0-9]+)?({'|'.join(UNITS)})")
_POWERS: Final = {"Ti": 40, "Gi": 30, "Mi": 20, "Ki": 10, "B": 0}
_MOST_SHOWN: Final = 10


def check_rules(
    workflow: WorkflowSpec, resources: Mapping[str, ResourceSpec], pool: Pool, nodes: Iterable[NodeFact]
) -> None:
    """Refused with `admission.rule`: class USER by a rule on the request alone, class RESOURCE where no node meets the rules."""
    known: list[NodeFact] | None = None
    for name, resource in resources.items():
        platform = pool.platforms.get(resource.platform)
        user = next((task.name for task in all_tasks(workflow) if task.resource == name), None)
        if platform is None or user is None or not platform.assertions:
            continue
        known = list(nodes) if known is None else known
        about_nodes = [rule for rule in platform.assertions if _is_about_nodes(rule)]
        values = user_values(resource, platform)
        for rule in platform.assertions:
            if rule not in about_nodes and (why := _broken(rule, values, resource.source)):
                raise _refused(resource.source, f"Task {user}: {why}", "USER")
        fitting = [node for node in known if node_in_platform(node, platform)]
        _check_nodes(user, about_nodes, values, fitting, resource, platform)


def _check_nodes(
    task: str,
    rules: list[ResourceAssertion],
    values: Values,
    nodes: list[NodeFact],
    resource: ResourceSpec,
    platform: Platform,
) -> None:
    """Nodes that offer the same are judged once."""
    reasons: dict[str, list[str]] = {}
    judged: dict[tuple[Any, ...], str | None] = {}
    for node in nodes if rules else ():
        offer = node_values(node, platform)
        key = tuple(offer.values())
        if key not in judged:
            judged[key] = _first_broken(rules, {**values, **offer}, resource.source)
        why = judged[key]
        if why is None:
            return
        reasons.setdefault(why, []).append(node.name)
    if reasons:
        told = "; ".join(f"{_names(names)}: {why}" for why, names in reasons.items())
        raise _refused(
            resource.source,
            f"Task {task} is allowed on no node of platform {resource.platform}: {told}",
            "RESOURCE",
        )


def _first_broken(rules: list[ResourceAssertion], values: Values, source: Node) -> str | None:
    return next((why for rule in rules if (why := _broken(rule, values, source)) is not None), None)


def _broken(rule: ResourceAssertion, values: Values, source: Node) -> str | None:
    """What the rule says when it does not hold."""
    try:
        left, right = _typed(render(rule.left_operand, values)), _typed(render(rule.right_operand, values))
        message = render(rule.assert_message, values)
    except Rejected as error:
        raise _refused(source, f"A rule of the pool cannot be judged: {error.message}", "USER") from error
    if isinstance(left, str) != isinstance(right, str):
        said = f"A rule of the pool cannot be judged: it compares {left!r} with {right!r}."
        raise _refused(source, said, "USER")
    if _COMPARE[rule.operator](left, right):
        return None
    return message or f"{left} {rule.operator} {right} does not hold"


def _is_about_nodes(rule: ResourceAssertion) -> bool:
    return first_token(rule.left_operand) in NODE_TOKENS or first_token(rule.right_operand) in NODE_TOKENS


def _typed(text: str) -> float | str:
    """A quantity with a unit in Ki, another number as it is, anything else as text."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    return parse_quantity(text) // 1024 if _QUANTITY.fullmatch(text) else text


def user_values(resource: ResourceSpec, platform: Platform) -> dict[str, Any]:
    """The variables of a request, over the platform's own."""
    values: dict[str, Any] = {
        **platform.variables,
        "USER_CPU": float(resource.cpu or 0),
        "USER_GPU": resource.gpu or 0,
        "USER_EXCLUDED_NODES": f"ARRAY:[{','.join(resource.nodes_excluded)}]",
        "WF_PLATFORM": resource.platform,
    }
    for name, amount in (("USER_MEMORY", resource.memory or 0), ("USER_STORAGE", resource.storage or 0)):
        values.update(_amount_values(name, amount))
    return values


def _amount_values(name: str, amount: int) -> dict[str, Any]:
    unit = next((unit for unit, power in _POWERS.items() if amount and amount % (1 << power) == 0), "B")
    number = amount >> _POWERS[unit]
    forms = {f"{name}_{each}": amount / (1 << power) for each, power in _POWERS.items()}
    return {
        name: f"{number}{unit}",
        f"{name}_VAL": str(number),
        f"{name}_UNIT": unit,
        f"{name}_m": amount * 1024,
        **forms,
    }


def node_values(node: NodeFact, platform: Platform) -> dict[str, Any]:
    """What the node could give to tasks of this platform if none of ours ran there."""
    control = platform.control
    return {
        "K8_CPU": max(node.cpu - node.used_cpu - control.cpu, 0),
        "K8_GPU": max(node.gpu - node.used_gpu, 0),
        "K8_MEMORY": f"{max(node.memory_bytes - node.used_memory_bytes - control.memory_bytes, 0) // 1024}Ki",
        "K8_STORAGE": f"{max(node.storage_bytes - node.used_storage_bytes - control.storage_bytes, 0) // 1024}Ki",
    }


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return ", ".join(sorted(names)[:_MOST_SHOWN]) + more


def _refused(source: Node, message: str, error_code: ErrorCode) -> Rejected:
    return refused(source, "admission.rule", message if message.endswith(".") else f"{message}.", error_code)
