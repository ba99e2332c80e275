"""`osmo config history`: who changed what, and when."""

import argparse
import shutil
from datetime import UTC, datetime

from osmo_cli.arguments import add_filter, add_format, from_zero, positive
from osmo_cli.commands.config.names import REVISION_COLUMNS, config_type, revision_cells
from osmo_cli.output import say, say_json, table
from osmo_cli.session import Session

_OTHER_COLUMNS = 90
"""About what the columns beside the description take."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config_type", type=config_type, nargs="?", help="only this type")
    parser.add_argument("-o", "--offset", type=from_zero, default=0, help="leave out so many (0)")
    parser.add_argument("-c", "--count", type=positive, default=20, help="show so many (20)")
    parser.add_argument("--order", choices=("asc", "desc"), default="asc", help="oldest or newest first (asc)")
    parser.add_argument("-n", "--name", help="only changes of this object")
    parser.add_argument("-r", "--revision", type=positive, help="only this revision")
    add_filter(parser, "--tags", help="only revisions with one of these tags")
    times = parser.add_argument_group("times", "YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SS, here")
    times.add_argument("--at-timestamp", type=_moment, help="the newest of each type until then")
    times.add_argument("--created-before", type=_moment, help="only earlier ones")
    times.add_argument("--created-after", type=_moment, help="only later ones")
    add_format(parser)
    add_width(parser)
    parser.set_defaults(run=run)


def add_width(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fit-width", action="store_true", help="shorten descriptions to the width of the terminal")


def width(session: Session) -> int | None:
    """Of descriptions; None for as long as they are."""
    if not session.args.fit_width:
        return None
    return max(10, shutil.get_terminal_size().columns - _OTHER_COLUMNS)


def _moment(text: str) -> str:
    """A local time as the API wants it: UTC, without zone."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a time (YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS)") from error


def run(session: Session) -> int:
    args = session.args
    params = {
        "config_types": [args.config_type] if args.config_type else [],
        "offset": args.offset,
        "limit": args.count,
        "order": args.order.upper(),
        "name": args.name,
        "revision": args.revision,
        "tags": args.tags,
        "at_timestamp": args.at_timestamp,
        "created_before": args.created_before,
        "created_after": args.created_after,
        "omit_data": True,
    }
    found = session.client().get("api/configs/history", params)
    if args.format_type == "json":
        say_json(found)
    elif not found["configs"]:
        say("There are no revisions to view.")
    else:
        say(table(REVISION_COLUMNS, [revision_cells(entry, width(session)) for entry in found["configs"]]))
    return 0
