"""`osmo app info NAME[:VERSION]`."""

import argparse

from osmo_cli.arguments import add_format, positive
from osmo_cli.commands.app.reference import app_reference
from osmo_cli.output import local_time, say, say_json, table
from osmo_cli.session import Session

HEADER = ["Version", "Created By", "Created Date", "Status"]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("app", type=app_reference, metavar="NAME[:VERSION]")
    parser.add_argument("-c", "--count", type=positive, default=20, help="how many versions, the newest (20)")
    parser.add_argument("-o", "--order", choices=("asc", "desc"), default="asc", help="by version (asc)")
    add_format(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    params = {"order": args.order.upper(), "limit": args.count, **args.app.params}
    found = session.client().get(args.app.path, params)
    if args.format_type == "json":
        say_json(found, indent=2)
        return 0
    say(f"Name         : {found['name']}")
    say(f"Owner        : {found['owner']}")
    say(f"Created Date : {local_time(found['created_date'])}")
    say(f"Description  : {found['description']}")
    say()
    rows = [
        [one["version"], one["created_by"], local_time(one["created_date"]), one["status"]] for one in found["versions"]
    ]
    say(table(HEADER, rows))
    return 0
