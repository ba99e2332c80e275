"""`osmo workflow query ID`."""

import argparse
from typing import Any

from osmo_cli.arguments import add_format
from osmo_cli.output import labels_text, local_time, say, say_json, table
from osmo_cli.session import Session

RULE = "-" * 53
MOST_REASONS = 5


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workflow_id")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every attempt of every task")
    add_format(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    found = session.client().get(f"api/workflow/{args.workflow_id}", {"verbose": args.verbose})
    if args.format_type == "json":
        say_json(found, indent=2)
    else:
        _say_workflow(found, verbose=args.verbose)
    return 0


def _say_workflow(found: Any, *, verbose: bool) -> None:
    say(RULE)
    say(f"Workflow ID : {found['name']}")
    say(f"Status      : {found['status']}")
    say(f"User        : {found['submitted_by']}")
    say(f"Submit Time : {local_time(found['submit_time'])}")
    say(f"Labels      : {labels_text(found['labels'])}")
    say(f"Overview    : {found['overview']}")
    say()
    tasks = [task for group in found["groups"] for task in group["tasks"]]
    header = ["Task Name", *(["Retry ID"] if verbose else []), "Start Time", "Status"]
    say(table(header, [_row(task, verbose=verbose) for task in tasks]))
    for text in [*_failures(tasks), *_waiting(found)]:
        say(text)


def _row(task: Any, *, verbose: bool) -> list[object]:
    return [task["name"], *([task["retry_id"]] if verbose else []), local_time(task["start_time"]), task["status"]]


def _failures(tasks: list[Any]) -> list[str]:
    """Why tasks failed, in the server's words, for those that have any: below the table, where nobody's parser looks."""
    failed = [task for task in tasks if task.get("failure_message") and str(task["status"]).startswith("FAILED")]
    return ["", *(f"{task['name']}: {task['failure_message']}" for task in failed)] if failed else []


def _waiting(found: Any) -> list[str]:
    """One line for each group that waits, as far as the server says why; the first few, and how to ask for all."""
    reasons = [(group["name"], group["pending_reason"]) for group in found["groups"] if group.get("pending_reason")]
    if not reasons:
        return []
    lines = [f"{name} waits: {reason['message']}" for name, reason in reasons[:MOST_REASONS]]
    more = f" ({len(reasons) - MOST_REASONS} more wait)" if len(reasons) > MOST_REASONS else ""
    return ["", *lines, f"More, and what would start it: osmo workflow why {found['name']}{more}"]
