"""`osmo workflow why ID`: why it waits, and what would start it now."""

import argparse
from collections.abc import Iterator
from typing import Any

from osmo_cli.arguments import add_format
from osmo_cli.output import say, say_json
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workflow_id")
    add_format(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    found = session.client().get(f"api/workflow/{args.workflow_id}/why")
    if args.format_type == "json":
        say_json(found, indent=2)
        return 0
    if not found["groups"]:
        say(f"Workflow {found['name']} is {found['status']}: nothing of it waits.")
        return 0
    say(f"Workflow {found['name']} is {found['status']}. What waits:")
    for group in found["groups"]:
        say()
        for line in group_lines(group):
            say(line)
    return 0


def group_lines(group: Any) -> Iterator[str]:
    """The reason in words, then the numbers that the words leave out, then what would help."""
    reason = group["reason"]
    yield f"{group['name']} ({reason['code']})"
    yield f"  {reason['message']}"
    if ahead := reason.get("ahead"):
        yield f"  In line:  {_in_line(ahead)}"
    for room in reason.get("free", []):
        yield f"  Free now: {_room(room)}"
    for holder in (reason.get("quota") or {}).get("holders", []):
        yield f"  Held by:  {_holder(holder)}"
    for victim in reason.get("victims", []):
        yield f"  Stopping: {victim['workflow_id']} ({victim['group']}), {_gpus(victim.get('gpus', 0))}"
    yield from _help(reason)


def _in_line(ahead: Any) -> str:
    if ahead["position"] == 1:
        return f"the first of {ahead['length']} in its pool"
    head = f"{ahead['head_workflow_id']} ({ahead['head_group']})"
    return f"number {ahead['position']} of {ahead['length']} in its pool; the first is {head}"


def _room(room: Any) -> str:
    where = f"platform {room['platform']}, " if room["platform"] else ""
    return (
        f"{where}{_gpus(room.get('free_gpus', 0))} on {room['nodes']} nodes, at most {room.get('most_gpus', 0)} on one; "
        f"such tasks that fit together: {room.get('gang', 0)}"
    )


def _holder(holder: Any) -> str:
    who = f"{holder['user']}, " if holder.get("user") else ""
    return (
        f"{holder['workflow_id']} ({holder['group']}), {who}{_gpus(holder['gpus'])}, {holder.get('priority', 'NORMAL')}"
    )


def _help(reason: Any) -> Iterator[str]:
    changes, untried = reason.get("changes", []), reason.get("untried", False)
    if changes:
        yield "  Submitted again like this it would start now:"
        yield from (f"    - {change['message']}" for change in changes)
    elif not untried and reason["code"] in {"quota", "capacity", "node_fit", "ahead"}:
        yield "  No single change (fewer GPUs, priority, platform, pool) would start it now."
    if untried:
        yield "  The line is long: not every change could be tried."


def _gpus(number: int) -> str:
    return "1 GPU" if number == 1 else f"{number} GPUs"
