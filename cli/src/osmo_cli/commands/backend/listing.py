"""`osmo backend list`."""

import argparse

from osmo_cli.arguments import add_format
from osmo_cli.output import local_time, say, say_json, table
from osmo_cli.session import Session

HEADER = ("Backend", "Status", "Version", "Nodes", "GPUs", "Pools", "Cluster UID", "Last Heartbeat")


def configure(parser: argparse.ArgumentParser) -> None:
    add_format(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    found = session.client().get("api/backend")
    if session.args.format_type == "json":
        say_json(found)
        return 0
    backends = found["backends"]
    if not backends:
        say("There are no backends. `osmo backend register NAME` makes one known.")
        return 0
    say(table(HEADER, [_row(each) for each in backends]))
    for each in backends:
        if each["warning"]:
            say(f"\n{each['name']}: {each['warning']}.")
    return 0


def version(backend: dict[str, str]) -> str:
    """With a word about how it fits, where that is worth one."""
    if not backend["version"]:
        return "-"
    return backend["version"] + ("" if backend["skew"] == "same" else f" ({backend['skew']})")


def _row(each: dict[str, object]) -> list[object]:
    pools = each["pools"]
    assert isinstance(pools, list)
    return [
        each["name"],
        each["status"],
        version({key: str(each[key]) for key in ("version", "skew")}),
        each["nodes"],
        each["gpus"],
        ", ".join(pools) or "-",
        each["cluster_uid"] or "-",
        local_time(str(each["last_heartbeat"] or "")),
    ]
