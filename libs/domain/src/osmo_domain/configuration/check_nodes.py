"""Whether a platform has nodes: one that selects none of those that its cluster has is more likely a mistake than a plan, and a plan can say so."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from osmo_domain.cluster import NodeFact, Taint
from osmo_domain.clusters import node_in_platform, tolerated
from osmo_domain.config import ConfigRevised
from osmo_domain.configuration.book import Book
from osmo_domain.configuration.checks import users_of
from osmo_domain.configuration.decide import after
from osmo_domain.configuration.deriving import derive_pool
from osmo_domain.configuration.kinds import ConfigType
from osmo_domain.configuration.refusals import refused
from osmo_domain.pool import Platform, Pool

_SHOWN = 5


def check_nodes(
    book: Book, pools: Mapping[str, Pool], nodes: Mapping[str, Collection[NodeFact]], event: ConfigRevised
) -> None:
    """Refused with `config.no_nodes` where the write makes a platform select none of the nodes of its backend.

    `pools` are as they were, `nodes` those of each backend. Passed over: a platform that selects as it did before, one that
    `scales_from_zero`, and a backend that has no nodes at all: its agent may be still to come.
    """
    objects = after(book, event)
    for name in _touched(book, event):
        value = objects[ConfigType.POOL][name]
        pool = derive_pool(name, value, objects)
        before = [pools[known] for known in (name, *event.deleted) if known in pools]
        there = nodes.get(pool.backend, ())
        for key, platform in pool.platforms.items():
            planned = value["platforms"][key].get("scales_from_zero", False)
            if there and not planned and _is_news(before, pool, platform) and not _has_one(platform, there):
                raise refused(
                    "no_nodes",
                    f"Platform {key} of pool {name} selects none of the {len(there)} nodes of backend {pool.backend}: "
                    f"{_why(platform, there)} If its nodes are still to come, say so with `scales_from_zero: true`.",
                    f"platforms.{key}",
                )


def _touched(book: Book, event: ConfigRevised) -> Iterator[str]:
    kind = ConfigType(event.config_type)
    if kind is ConfigType.POOL:
        yield from event.objects
    if kind is ConfigType.POD_TEMPLATE:
        users = {user for name in event.objects for user in users_of(book.objects, kind, name)}
        yield from sorted(name for other, name in users if other is ConfigType.POOL)


def _is_news(before: Collection[Pool], pool: Pool, platform: Platform) -> bool:
    """Nothing selected like this before, under whatever name."""
    return not any(
        (old.labels, old.tolerations) == (platform.labels, platform.tolerations)
        for known in before
        if known.backend == pool.backend
        for old in known.platforms.values()
    )


def _has_one(platform: Platform, nodes: Collection[NodeFact]) -> bool:
    return any(node_in_platform(node, platform) for node in nodes)


def _why(platform: Platform, nodes: Collection[NodeFact]) -> str:
    """What leaves none of them, label by label, then by taints."""
    which = "none"
    for key, value in platform.labels.items():
        having = [node for node in nodes if node.labels.get(key) == value]
        if not having:
            return f"{which} has the label {key}={value}{_instead(key, nodes)}."
        nodes, which = having, "none of those with its other labels"
    taints = Counter(_shown(taint) for node in nodes for taint in node.taints if not tolerated(taint, platform))
    shown = ", ".join(name for name, _ in taints.most_common(_SHOWN))
    return f"it does not tolerate {shown}, which those with its labels have."


def _instead(key: str, nodes: Collection[NodeFact]) -> str:
    values = sorted({node.labels[key] for node in nodes if key in node.labels})
    more = ", ..." if len(values) > _SHOWN else ""
    return f"; {key} is {', '.join(values[:_SHOWN])}{more}" if values else f", nor {key} at all"


def _shown(taint: Taint) -> str:
    return f"{taint.key}={taint.value}:{taint.effect}" if taint.value else f"{taint.key}:{taint.effect}"
