"""Platforms and the nodes of their clusters: what selects none is refused when it is written, and nothing else is."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from osmo_domain.cluster import NodeFact, Taint
from osmo_domain.config import ConfigRevised
from osmo_domain.configuration.book import Book
from osmo_domain.configuration.check_nodes import check_nodes
from osmo_domain.configuration.kinds import ConfigType
from osmo_domain.configuration.normal import normal
from osmo_domain.errors import Rejected
from osmo_domain.pool import Platform, Pool, Toleration

AT = datetime(2026, 11, 20, tzinfo=UTC)
TAINT = Taint("dedicated", "ml", "NoSchedule")
NODES = {
    "b": [
        NodeFact(name="n1", at=AT, available=False, labels={"kind": "a"}),
        NodeFact(name="n2", at=AT, labels={"kind": "z"}, taints=(TAINT,)),
    ]
}


def write(platforms: dict[str, Any], *, deleted: tuple[str, ...] = (), backend: str = "b") -> ConfigRevised:
    value = normal(ConfigType.POOL, "p", {"backend": backend, "platforms": platforms})
    return ConfigRevised("POOL", {"p": msgspec.Raw(msgspec.json.encode(value))}, deleted)


def check(event: ConfigRevised, *before: Pool, nodes: Any = NODES) -> None:
    check_nodes(Book(), {pool.name: pool for pool in before}, nodes, event)


def why_not(event: ConfigRevised, *before: Pool) -> str:
    with pytest.raises(Rejected) as caught:
        check(event, *before)
    assert caught.value.code == "config.no_nodes"
    return caught.value.message


def selects(**labels: str) -> dict[str, Any]:
    return {"node_selector": labels}


def test_a_node_that_is_not_available_counts() -> None:
    check(write({"x": selects(kind="a")}))


def test_the_reason_names_what_leaves_no_node() -> None:
    assert "none has the label kind=q; kind is a, z." in why_not(write({"x": selects(kind="q")}))
    assert "nor zone at all" in why_not(write({"x": selects(zone="east")}))
    assert "does not tolerate dedicated=ml:NoSchedule" in why_not(write({"x": selects(kind="z")}))
    tolerant = {**selects(kind="z"), "node_tolerations": [{"key": "dedicated", "operator": "Exists"}]}
    check(write({"x": tolerant}))


def test_labels_that_no_node_has_together() -> None:
    nodes = {"b": [NodeFact(name="n1", at=AT, labels={"a": "1"}), NodeFact(name="n2", at=AT, labels={"b": "1"})]}
    with pytest.raises(Rejected, match="none of those with its other labels has the label b=1"):
        check(write({"x": selects(a="1", b="1")}), nodes=nodes)


def test_a_plan_is_let_through() -> None:
    check(write({"x": {**selects(kind="q"), "scales_from_zero": True}}))


def test_a_cluster_without_any_node_says_nothing_about_platforms() -> None:
    check(write({"x": selects(kind="q")}), nodes={"b": []})
    check(write({"x": selects(kind="q")}), nodes={})


@pytest.mark.parametrize("name", ["p", "was"])
def test_what_selected_like_this_before_may_stay_though_its_nodes_have_left(name: str) -> None:
    """Under another name as well: a pool that is renamed, a platform that is."""
    before = Pool(name, "b", platforms={"old": Platform(labels={"kind": "q"})})
    check(write({"x": selects(kind="q")}, deleted=("was",)), before)


def test_a_change_of_what_is_selected_is_news() -> None:
    before = Pool("p", "b", platforms={"x": Platform(labels={"kind": "q"})})
    assert "kind=r" in why_not(write({"x": selects(kind="r")}), before)
    tolerant = Pool("p", "b", platforms={"x": Platform(labels={"kind": "z"}, tolerations=(Toleration("dedicated"),))})
    assert "dedicated" in why_not(write({"x": selects(kind="z")}), tolerant)
    elsewhere = Pool("p", "c", platforms={"x": Platform(labels={"kind": "q"})})
    assert "kind=q" in why_not(write({"x": selects(kind="q")}), elsewhere)
