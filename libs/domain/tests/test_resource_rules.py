"""Resource validations: rules of a pool on what tasks ask for; defaults; tolerations."""

from datetime import UTC, datetime
from typing import Any

import pytest

from osmo_domain.cluster import NodeFact, Taint
from osmo_domain.clusters import node_in_platform
from osmo_domain.errors import Rejected
from osmo_domain.pool import ControlRequests, Platform, Pool, ResourceAssertion, Toleration
from osmo_domain.spec.default_amounts import fill_in_amounts
from osmo_domain.spec.document import read_document, read_spec
from osmo_domain.spec.model import WorkflowSpec
from osmo_domain.spec.resource_rules import check_rules, user_values
from osmo_domain.spec.rules import group_tasks, resolve_resources

AT = datetime(2026, 1, 1, tzinfo=UTC)
GI = 1 << 30


def rule(text: str, message: str = "") -> ResourceAssertion:
    left, operator, right = text.split()
    return ResourceAssertion(operator, left, right, message)


def pool_with(*rules: ResourceAssertion, **platform: Any) -> Pool:
    return Pool("lab", "b", default_platform="p", platforms={"p": Platform(assertions=rules, **platform)})


def ask(resource: str) -> WorkflowSpec:
    text = f"workflow: {{name: w, resources: {{default: {resource}}}, tasks: [{{name: t, image: i, command: [c]}}]}}"
    spec = read_spec(read_document(text))
    group_tasks(spec)
    return spec


def node(name: str = "n", **amounts: Any) -> NodeFact:
    given = {"cpu": 16, "gpu": 8, "memory_bytes": 64 * GI, "storage_bytes": 100 * GI}
    return NodeFact(name, AT, **{**given, **amounts})


def check(resource: str, pool: Pool, *nodes: NodeFact) -> None:
    spec = ask(resource)
    resources = resolve_resources(spec, pool)
    fill_in_amounts(resources, pool)
    check_rules(spec, resources, pool, nodes)


def refusal(resource: str, pool: Pool, *nodes: NodeFact) -> Rejected:
    with pytest.raises(Rejected) as caught:
        check(resource, pool, *nodes)
    assert caught.value.code == "admission.rule"
    return caught.value


def test_a_rule_on_the_request_alone_needs_no_node_and_names_itself() -> None:
    pool = pool_with(rule("{{USER_CPU}} GT 0", "ask for more than {{USER_CPU}} CPUs"))
    check("{cpu: 1}", pool)
    error = refusal("{}", pool)
    assert (error.error_code, error.message) == ("USER", "Task t: ask for more than 0.0 CPUs.")


def test_a_node_must_meet_every_rule_about_nodes() -> None:
    pool = pool_with(
        rule("{{USER_CPU}} LE {{K8_CPU}}", "CPU {{USER_CPU}} of {{K8_CPU}}"),
        rule("{{USER_MEMORY}} LE {{K8_MEMORY}}", "memory {{USER_MEMORY}}"),
    )
    wide, deep = node("wide", cpu=32, memory_bytes=8 * GI), node("deep", cpu=4, memory_bytes=256 * GI)
    check("{cpu: 30, memory: 8Gi}", pool, wide, deep)
    check("{cpu: 4, memory: 200Gi}", pool, wide, deep)
    error = refusal("{cpu: 30, memory: 200Gi}", pool, wide, deep)
    assert error.error_code == "RESOURCE"
    assert "wide: memory 200Gi" in error.message
    assert "deep: CPU 30.0 of 4" in error.message


def test_a_busy_cluster_changes_nothing_but_control_containers_and_others_work_count() -> None:
    """The reference's example: 16 CPUs, 1 for the control container, 2 for others: 13."""
    pool = pool_with(rule("{{USER_CPU}} LE {{K8_CPU}}"), control=ControlRequests(cpu=1))
    busy = node(used_cpu=2)
    check("{cpu: 13}", pool, busy)
    assert refusal("{cpu: 14}", pool, busy).error_code == "RESOURCE"


def test_while_no_node_is_there_rules_about_nodes_wait() -> None:
    check("{cpu: 1000}", pool_with(rule("{{USER_CPU}} LE {{K8_CPU}}")))


def test_storage_is_compared_whatever_its_unit() -> None:
    pool = pool_with(rule("{{USER_STORAGE}} LT {{K8_STORAGE}}"))
    check("{storage: 102399Mi}", pool, node())
    refusal("{storage: 100Gi}", pool, node())


def test_a_number_is_not_compared_with_words() -> None:
    assert refusal("{cpu: 1}", pool_with(rule("{{USER_CPU}} EQ many"))).error_code == "USER"
    assert "NOBODY" in refusal("{cpu: 1}", pool_with(rule("{{NOBODY}} EQ 1"))).message


def test_a_thousand_equal_nodes_are_named_shortly() -> None:
    nodes = [node(f"n{number:04}") for number in range(1000)]
    message = refusal("{gpu: 9}", pool_with(rule("{{USER_GPU}} LE {{K8_GPU}}")), *nodes).message
    assert "n0000" in message
    assert "and 990 more" in message


def test_defaults_fill_what_is_left_open_and_nothing_else() -> None:
    pool = pool_with(variables={"USER_CPU": 2, "USER_GPU": "1", "USER_MEMORY": "1Gi"})
    spec = ask("{cpu: 0, gpu: 3}")
    resources = resolve_resources(spec, pool)
    fill_in_amounts(resources, pool)
    filled = resources["default"]
    assert (filled.cpu, filled.gpu, filled.memory, filled.storage) == (2, 3, GI, None)


def test_variables_of_an_amount_have_every_form() -> None:
    spec = ask("{memory: 1536Mi}")
    resource = resolve_resources(spec, pool_with())["default"]
    values = user_values(resource, Platform())
    assert (values["USER_MEMORY"], values["USER_MEMORY_VAL"], values["USER_MEMORY_UNIT"]) == ("1536Mi", "1536", "Mi")
    assert values["USER_MEMORY_Gi"] == 1.5


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        (Toleration("gpu", "Exists"), True),
        (Toleration("gpu", "Equal", "a100"), True),
        (Toleration("gpu", "Equal", "h100"), False),
        (Toleration("gpu", "Exists", effect="NoExecute"), False),
        (Toleration("", "Exists"), True),
        (Toleration("", "Equal"), False),
        (Toleration("gpu", "Near", "a100"), False),
    ],
)
def test_a_tainted_node_is_for_those_who_tolerate_it(toleration: Toleration, fits: bool) -> None:
    tainted = node(taints=(Taint("gpu", "a100", "NoSchedule"), Taint("old", effect="PreferNoSchedule")))
    assert not node_in_platform(tainted, Platform())
    assert node_in_platform(tainted, Platform(tolerations=(toleration,))) is fits
