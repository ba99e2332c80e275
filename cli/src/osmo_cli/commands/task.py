"""`osmo task list`: tasks over all workflows, or how much of what they hold."""

import argparse
from typing import Any

from osmo_cli.arguments import LazyParser, add_filter, add_format, add_priority_filter, from_zero, positive
from osmo_cli.client import Param
from osmo_cli.dates import local_date
from osmo_cli.output import local_time, say, say_json, table
from osmo_cli.session import Session
from osmo_cli.statuses import LIVE_TASK_STATUSES, TASK_STATUSES

AMOUNTS = (("Storage [Gi]", "storage"), ("CPU [#]", "cpu"), ("Memory [Gi]", "memory"), ("GPU [#]", "gpu"))


def configure(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=LazyParser)
    listing = commands.add_parser("list", help="list tasks, those that wait and run unless told otherwise")
    _filters(listing)
    shape = listing.add_mutually_exclusive_group()
    shape.add_argument("-v", "--verbose", action="store_true", help="show what each task holds")
    shape.add_argument("-S", "--summary", action="store_true", help="add up per user, pool and priority")
    listing.add_argument("-W", "--aggregate-by-workflow", action="store_true", help="add up per workflow as well")
    add_format(listing)
    listing.set_defaults(run=run)


def _filters(listing: argparse.ArgumentParser) -> None:
    listing.add_argument(
        "-s",
        "--status",
        nargs="+",
        action="extend",
        choices=TASK_STATUSES,
        metavar="STATUS",
        help="tasks in these statuses",
    )
    listing.add_argument("-w", "--workflow-id", help="tasks of workflows whose id contains this")
    who = listing.add_mutually_exclusive_group()
    add_filter(who, "-u", "--user", help="tasks of these users (yours)")
    who.add_argument("-a", "--all-users", action="store_true", help="tasks of everybody")
    where = listing.add_mutually_exclusive_group()
    add_filter(where, "-p", "--pool", help="tasks in these pools (all)")
    add_filter(where, "-n", "--node", help="tasks on these nodes")
    listing.add_argument("--started-after", type=local_date, metavar="YYYY-MM-DD")
    listing.add_argument("--started-before", type=local_date, metavar="YYYY-MM-DD")
    listing.add_argument("-c", "--count", type=positive, default=20, help="how many at most (20)")
    listing.add_argument("-f", "--offset", type=from_zero, default=0, help="how many to pass over (0)")
    listing.add_argument("-o", "--order", choices=("asc", "desc"), default="asc", help="oldest or newest first (asc)")
    add_priority_filter(listing)


def run(session: Session) -> int:
    args = session.args
    found = session.client().get("api/task", _params(args))
    if args.format_type == "json":
        say_json(found, indent=2)
        return 0
    rows = found["summaries"] if "summaries" in found else found["tasks"]
    if not rows:
        say("There are no tasks to view.")
        return 0
    say(_summary_table(rows) if "summaries" in found else _task_table(rows, verbose=args.verbose))
    return 0


def _params(args: argparse.Namespace) -> dict[str, Param]:
    everywhere = not args.pool
    return {
        "limit": min(args.count, 1000),
        "offset": args.offset,
        "all_users": args.all_users,
        "workflow_id": args.workflow_id,
        "nodes": args.node,
        "users": args.user,
        "statuses": args.status or LIVE_TASK_STATUSES,
        "order": args.order.upper(),
        "pools": args.pool,
        "all_pools": True if everywhere else None,
        "summary": True if args.summary else None,
        "aggregate_by_workflow": True if args.aggregate_by_workflow else None,
        "priority": args.priority,
        "started_after": args.started_after,
        "started_before": args.started_before,
    }


def _task_table(tasks: list[Any], *, verbose: bool) -> str:
    header = ["User", "Workflow ID", "Task", "Status", "Pool", "Priority", "Node", "Start Time"]
    amounts = AMOUNTS if verbose else ()
    rows = [
        [
            *(task[key] for key in ("user", "workflow_id", "task_name", "status", "pool", "priority", "node")),
            local_time(task["start_time"]),
            *(_shown(task[key]) for _, key in amounts),
        ]
        for task in tasks
    ]
    total = [*[""] * len(header), *_sums(tasks)] if verbose else None
    return table([*header, *(title for title, _ in amounts)], rows, total=total)


def _summary_table(summaries: list[Any]) -> str:
    keys = [("User", "user"), ("Pool", "pool"), ("Priority", "priority")]
    if "workflow_id" in summaries[0]:
        keys.insert(1, ("Workflow ID", "workflow_id"))
    rows = [[*(each[key] for _, key in keys), *(_shown(each[key]) for _, key in AMOUNTS)] for each in summaries]
    header = [title for title, _ in (*keys, *AMOUNTS)]
    return table(header, rows, total=[*[""] * len(keys), *_sums(summaries)])


def _sums(rows: list[Any]) -> list[str]:
    return [_shown(sum(row[key] for row in rows)) for _, key in AMOUNTS]


def _shown(amount: float) -> str:
    """A whole number without its point."""
    return f"{amount:.2f}".rstrip("0").rstrip(".")
