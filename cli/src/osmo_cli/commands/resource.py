"""`osmo resource list` and `info`: nodes, and what is used or free on them."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from osmo_cli.arguments import LazyParser, add_filter, add_format
from osmo_cli.client import Client
from osmo_cli.default_pool import default_pool
from osmo_cli.errors import UserError
from osmo_cli.output import say, say_json, table
from osmo_cli.quantities import Amounts, amounts
from osmo_cli.session import Session

AMOUNTS = ("Storage [Gi]", "CPU [#]", "Memory [Gi]", "GPU [#]")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=LazyParser)
    listing = commands.add_parser("list", help="list the nodes of pools")
    add_filter(listing, "-p", "--pool", help="nodes of these pools (your default pool)")
    add_filter(listing, "--platform", help="nodes of these platforms")
    listing.add_argument("-a", "--all", action="store_true", help="nodes of every pool")
    listing.add_argument(
        "-m", "--mode", choices=("used", "free"), default="used", help="show used/capacity, or what is free (used)"
    )
    add_format(listing)
    listing.set_defaults(run=show_list)
    info = commands.add_parser("info", help="everything about one node")
    info.add_argument("node", help="the node's name")
    info.add_argument("-p", "--pool", help="as this pool sees it")
    info.add_argument("-pl", "--platform", help="as this platform sees it")
    info.set_defaults(run=show_info)


@dataclass(frozen=True, slots=True)
class Offer:
    """One node as one platform of one pool offers it."""

    node: str
    pool: str
    platform: str
    kind: str
    used: Amounts
    capacity: Amounts


def show_list(session: Session) -> int:
    args, client = session.args, session.client()
    pools = args.pool or ([] if args.all else [default_pool(client)])
    _check_pools(client, pools)
    found = client.get("api/resources", {"pools": pools, "all_pools": args.all, "platforms": args.platform})
    if args.format_type == "json":
        say_json(found)
        return 0
    offers = [
        offer
        for offer in _offers(found["resources"], pools if not args.all else [])
        if not args.platform or offer.platform in args.platform
    ]
    if not offers:
        say("There are no resources to view.")
        return 0
    say(
        table(
            ["Node", "Pool", "Platform", "Type", *AMOUNTS],
            map(_row(args.mode), offers),
            total=_total(offers, args.mode),
        )
    )
    return 0


def show_info(session: Session) -> int:
    args = session.args
    found = session.client().get(f"api/resources/{args.node}")
    offers = [
        offer
        for offer in _offers(found["resources"], [])
        if args.pool in {None, offer.pool} and args.platform in {None, offer.platform}
    ]
    if not offers:
        raise UserError(f"Node {args.node} is in no such pool and platform.")
    for resource in found["resources"]:
        say(f"Node       : {resource['hostname']}")
        say(f"Backend    : {resource['backend']}")
        say(f"Type       : {resource['resource_type']}")
        say(f"Conditions : {', '.join(resource.get('conditions') or ()) or '-'}")
        say(f"Taints     : {', '.join(_taint(taint) for taint in resource.get('taints') or ()) or '-'}")
    say()
    say(
        table(
            ["Pool", "Platform", *AMOUNTS], [[offer.pool, offer.platform, *_cells(offer, "used")] for offer in offers]
        )
    )
    for resource in found["resources"]:
        _say_config(resource.get("config_fields") or {}, offers)
    return 0


def _check_pools(client: Client, wanted: list[str]) -> None:
    known = client.get("api/pool")["pools"]
    if missing := [pool for pool in wanted if pool not in known]:
        raise UserError(f"Pool {', '.join(missing)} not found. Pools: {', '.join(sorted(known)) or 'none'}.")


def _offers(resources: list[Any], pools: list[str]) -> Iterator[Offer]:
    for resource in resources:
        used = amounts(resource["usage_fields"], round_up=True)
        for pool, platforms in resource["pool_platform_labels"].items():
            if pools and pool not in pools:
                continue
            for platform in platforms:
                fields = (resource.get("platform_allocatable_fields") or {}).get(pool, {}).get(platform)
                capacity = amounts(fields or resource["allocatable_fields"], round_up=False)
                clamped = used.at_most(capacity)
                yield Offer(resource["hostname"], pool, platform, resource["resource_type"], clamped, capacity)


def _row(mode: str) -> Any:
    return lambda offer: [offer.node, offer.pool, offer.platform, offer.kind, *_cells(offer, mode)]


def _cells(offer: Offer, mode: str) -> list[str]:
    pairs = zip(offer.used, offer.capacity, strict=True)
    return [f"{used}/{capacity}" if mode == "used" else str(capacity - used) for used, capacity in pairs]


def _total(offers: list[Offer], mode: str) -> list[str]:
    """Each node once, however many pools offer it."""
    nodes = {offer.node: offer for offer in offers}.values()
    used = Amounts(*map(sum, zip(*(offer.used for offer in nodes), strict=True)))
    capacity = Amounts(*map(sum, zip(*(offer.capacity for offer in nodes), strict=True)))
    return ["", "", "", "", *_cells(Offer("", "", "", "", used, capacity), mode)]


def _taint(taint: dict[str, str]) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key', '')}{value}:{taint.get('effect', '')}"


def _say_config(config: dict[str, Any], offers: list[Offer]) -> None:
    for offer in offers:
        fields = config.get(offer.pool, {}).get(offer.platform)
        if fields:
            say(f"\n{offer.pool}/{offer.platform}")
            for name, value in fields.items():
                shown = ", ".join(value) or "-" if isinstance(value, list) else value
                say(f"  {name.replace('_', ' ')}: {shown}")
