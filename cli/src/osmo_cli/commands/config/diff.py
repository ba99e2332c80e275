"""`osmo config diff`: what differs between two revisions of a type."""

import argparse
import difflib
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from osmo_cli.client import Params
from osmo_cli.commands.config.names import Reference, current_revision, reference
from osmo_cli.errors import UserError
from osmo_cli.output import say
from osmo_cli.session import Session

COLOURS = {"-": "\x1b[31m", "+": "\x1b[32m", "@": "\x1b[36m"}
PLAIN = "\x1b[0m"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "first", type=reference, metavar="TYPE[:REVISION]", help="the earlier (the one before the last)"
    )
    parser.add_argument(
        "second", type=reference, nargs="?", metavar="TYPE[:REVISION]", help="the later (the current one)"
    )
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    client = session.client()
    first: Reference = session.args.first
    second: Reference = session.args.second or Reference(first.kind)
    if first.kind != second.kind:
        raise UserError(f"Both must be of one type: {first.kind} and {second.kind} are not.")
    newest = second.revision or current_revision(client, second.kind)
    oldest = first.revision or max(1, newest - 1)
    params: Params = {"config_type": first.kind, "first_revision": oldest, "second_revision": newest}
    found = client.get("api/configs/diff", params)
    lines = difflib.unified_diff(
        _lines(found["first_data"]),
        _lines(found["second_data"]),
        f"{first.kind}:{oldest}",
        f"{first.kind}:{newest}",
        lineterm="",
    )
    text = "\n".join(_coloured(lines) if sys.stdout.isatty() else lines)
    say(text or f"{first.kind}:{oldest} and {first.kind}:{newest} are the same.")
    return 0


def _lines(data: Any) -> list[str]:
    return json.dumps(data, indent=2, sort_keys=True).splitlines()


def _coloured(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        colour = COLOURS.get(line[:1])
        yield f"{colour}{line}{PLAIN}" if colour else line
