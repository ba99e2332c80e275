"""`osmo pool list`: pools, and how much of their quota is used or free."""

import argparse
from collections.abc import Iterator
from typing import Any

from osmo_cli.arguments import LazyParser, add_filter, add_format
from osmo_cli.output import say, say_json, table
from osmo_cli.session import Session

COLUMNS = {
    "used": (
        ("Quota Used", "quota_used"),
        ("Quota Limit", "quota_limit"),
        ("Total Usage", "total_usage"),
        ("Total Capacity", "total_capacity"),
    ),
    "free": (("Quota Free", "quota_free"), ("Total Free", "total_free")),
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=LazyParser)
    listing = commands.add_parser("list", help="list pools with the GPUs of their quotas")
    add_filter(listing, "-p", "--pool", help="only these pools")
    listing.add_argument(
        "-m", "--mode", choices=tuple(COLUMNS), default="used", help="show what is used, or what is free (used)"
    )
    add_format(listing)
    listing.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    params = {"pools": args.pool, "all_pools": False} if args.pool else {"all_pools": True}
    found = session.client().get("api/pool_quota", params)
    if args.format_type == "json":
        say_json(found)
        return 0
    if not found["node_sets"]:
        say("There are no pools to view.")
        return 0
    columns = COLUMNS[args.mode]
    header = ["Pool", "Description", "Status", *(title for title, _ in columns)]
    total = ["", "", "", *(found["resource_sum"][key] for _, key in columns)]
    say(table(header, _rows(found["node_sets"], columns), total=total))
    return 0


def _rows(node_sets: list[Any], columns: tuple[tuple[str, str], ...]) -> Iterator[list[object]]:
    """Pools of one node set share nodes: the later ones say so where they repeat what is counted over nodes."""
    for node_set in node_sets:
        for place, pool in enumerate(node_set["pools"]):
            usage = pool["resource_usage"]
            shared = " (shared)" if place else ""
            cells = [usage[key] + (shared if key in {"total_capacity", "total_free"} else "") for _, key in columns]
            yield [pool["name"], pool["description"], pool["status"], *cells]
