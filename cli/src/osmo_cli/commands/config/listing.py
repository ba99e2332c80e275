"""`osmo config list`: the current revision of each type."""

import argparse
from datetime import UTC, datetime

from osmo_cli.arguments import add_format
from osmo_cli.client import Params
from osmo_cli.commands.config.history import add_width, width
from osmo_cli.commands.config.names import REVISION_COLUMNS, TYPES, revision_cells
from osmo_cli.output import say, say_json, table
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    add_format(parser)
    add_width(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    params: Params = {"config_types": TYPES, "omit_data": True, "at_timestamp": now, "limit": 100}
    found = session.client().get("api/configs/history", params)
    if session.args.format_type == "json":
        say_json(found)
        return 0
    rows = sorted(found["configs"], key=lambda entry: TYPES.index(entry["config_type"]))
    say(table(REVISION_COLUMNS, [revision_cells(entry, width(session)) for entry in rows]))
    return 0
