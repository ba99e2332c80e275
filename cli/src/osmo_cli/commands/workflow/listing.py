"""`osmo workflow list`."""

import argparse
from typing import Any

from osmo_cli.arguments import add_filter, add_format, add_priority_filter, from_zero, positive
from osmo_cli.client import Client, Param
from osmo_cli.dates import local_date
from osmo_cli.output import labels_text, local_time, say, say_json, table
from osmo_cli.session import Session
from osmo_cli.statuses import WORKFLOW_STATUSES

PAGE = 1000
HEADER = ("User", "Workflow ID", "Submit Time", "Status", "Priority", "Labels", "Overview")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-c", "--count", type=positive, default=20, help="how many at most (20)")
    parser.add_argument("-f", "--offset", type=from_zero, default=0, help="how many of the newest to pass over (0)")
    parser.add_argument("-n", "--name", help="whose id contains this")
    parser.add_argument(
        "-o", "--order", choices=("asc", "desc"), default="asc", help="newest last or newest first (asc)"
    )
    add_filter(
        parser,
        "-s",
        "--status",
        choices=WORKFLOW_STATUSES,
        metavar="STATUS",
        help="in these statuses",
    )
    parser.add_argument("--submitted-after", type=local_date, metavar="YYYY-MM-DD")
    parser.add_argument("--submitted-before", type=local_date, metavar="YYYY-MM-DD")
    add_filter(parser, "--tags", help="with any of these tags")
    add_priority_filter(parser)
    parser.add_argument(
        "--label", action="append", default=[], metavar="SELECTOR", help="key=value, with * and (a|b); may be repeated"
    )
    parser.add_argument(
        "--no-label", action="append", default=[], metavar="KEY", help="without this label; may be repeated"
    )
    who = parser.add_mutually_exclusive_group()
    add_filter(who, "-u", "--user", help="of these users (yours)")
    who.add_argument("-a", "--all-users", action="store_true", help="of everybody")
    add_filter(parser, "-p", "--pool", help="in these pools (all)")
    parser.add_argument("-P", "--app", metavar="NAME[:VERSION]", help="submitted from this app")
    add_format(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    workflows = _newest(session.client(), _filters(args), offset=args.offset, count=args.count)
    if args.order == "asc":
        workflows.reverse()
    if args.format_type == "json":
        say_json({"workflows": workflows}, indent=2)
    elif not workflows:
        say("There are no workflows to view.")
    else:
        say(table(HEADER, map(_row, workflows)))
    return 0


def _filters(args: argparse.Namespace) -> dict[str, Param]:
    return {
        "order": "DESC",
        "users": args.user,
        "statuses": args.status,
        "name": args.name,
        "all_users": True if args.all_users else None,
        "tags": args.tags,
        "pools": args.pool,
        "all_pools": None if args.pool else True,
        "app": args.app,
        "priority": args.priority,
        "label": args.label,
        "no_label": args.no_label,
        "submitted_after": args.submitted_after,
        "submitted_before": args.submitted_before,
    }


def _newest(client: Client, filters: dict[str, Param], *, offset: int, count: int) -> list[Any]:
    """Up to `count` workflows, newest first, over as many pages as that takes."""
    found: list[Any] = []
    while len(found) < count:
        page = {"limit": min(count - len(found), PAGE), "offset": offset + len(found)}
        answer = client.get("api/workflow", {**filters, **page})
        found += answer["workflows"]
        if not answer["more_entries"] or not answer["workflows"]:
            break
    return found


def _row(workflow: Any) -> list[object]:
    return [
        workflow["user"],
        workflow["name"],
        local_time(workflow["submit_time"]),
        workflow["status"],
        workflow["priority"],
        labels_text(workflow["labels"]),
        workflow["overview"],
    ]
