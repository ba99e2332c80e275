"""`osmo app list`."""

import argparse
from typing import Any

from osmo_cli.arguments import add_filter, add_format, positive
from osmo_cli.client import Client, Params
from osmo_cli.output import local_time, say, say_json, table
from osmo_cli.session import Session

PAGE = 1000
HEADER = ["Owner", "Name", "Description", "Created Date", "Latest Version"]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", "--name", help="whose names hold this text")
    who = parser.add_mutually_exclusive_group()
    add_filter(who, "-u", "--user", help="of these users (yours, and those that you used)")
    who.add_argument("-a", "--all-users", action="store_true", help="of everybody")
    parser.add_argument("-c", "--count", type=positive, default=20, help="how many, the newest (20)")
    parser.add_argument("-o", "--order", choices=("asc", "desc"), default="asc", help="by age (asc)")
    add_format(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    filters = {"order": "DESC", "users": args.user, "name": args.name, "all_users": True if args.all_users else None}
    apps = _newest(session.client(), filters, args.count)
    if args.order == "asc":
        apps.reverse()
    if args.format_type == "json":
        say_json({"apps": apps}, indent=2)
    elif not apps:
        say("There are no apps to view.")
    else:
        say(table(HEADER, [_row(app) for app in apps]))
    return 0


def _newest(client: Client, filters: Params, count: int) -> list[Any]:
    """Up to `count` apps, newest first, over as many pages as that takes."""
    found: list[Any] = []
    while len(found) < count:
        page = {"limit": min(count - len(found), PAGE), "offset": len(found)}
        answer = client.get("api/app", {**filters, **page})
        found += answer["apps"]
        if not answer["more_entries"] or not answer["apps"]:
            break
    return found


def _row(app: Any) -> list[object]:
    return [app["owner"], app["name"], app["description"], local_time(app["created_date"]), app["latest_version"]]
