"""`osmo backend show NAME`."""

import argparse
from typing import Any

from osmo_cli.arguments import add_format
from osmo_cli.commands.backend.listing import version
from osmo_cli.commands.backend.paths import backend_path
from osmo_cli.output import local_time, say, say_json, table
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="the backend")
    add_format(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    found = session.client().get(backend_path(session.args.name))
    if session.args.format_type == "json":
        say_json(found)
        return 0
    for title, value in _lines(found):
        say(f"{title + ':':<16}{value}")
    if found["tokens"]:
        say()
        say(table(("Token", "Status", "Issued", "By", "Ends"), [_token(each) for each in found["tokens"]]))
    return 0


def _lines(found: dict[str, Any]) -> list[tuple[str, object]]:
    lines = [
        ("Backend", found["name"]),
        ("Description", found["description"] or "-"),
        ("Status", found["status"]),
        ("Last heartbeat", local_time(found["last_heartbeat"])),
        ("Version", version(found)),
        ("Runtime", found["runtime"] or "-"),
        ("Cluster UID", found["cluster_uid"] or "-"),
        ("Nodes", found["nodes"]),
        ("GPUs", found["gpus"]),
        ("Pools", ", ".join(found["pools"]) or "-"),
    ]
    return [*lines, ("Warning", found["warning"])] if found["warning"] else lines


def _token(each: dict[str, Any]) -> list[object]:
    ends = each["revoked_at"] or each["ends_at"]
    return [each["token_id"], each["status"], local_time(each["issued_at"]), each["issued_by"], local_time(ends)]
