"""`osmo config tag`: put tags on a revision, or take them off."""

import argparse

from osmo_cli.commands.config.names import current_revision, reference
from osmo_cli.errors import UserError
from osmo_cli.output import say
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "config_type", type=reference, metavar="TYPE[:REVISION]", help="the revision (the current one of the type)"
    )
    parser.add_argument("-s", "--set", nargs="+", action="extend", default=[], metavar="TAG", help="tags to put on")
    parser.add_argument(
        "-d", "--delete", nargs="+", action="extend", default=[], metavar="TAG", help="tags to take off"
    )
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args, client = session.args, session.client()
    if not args.set and not args.delete:
        raise UserError("Name tags to put on (--set) or to take off (--delete).")
    kind = args.config_type.kind
    number = args.config_type.revision or current_revision(client, kind)
    body = {"set_tags": args.set or None, "delete_tags": args.delete or None}
    client.write("POST", f"api/configs/history/{kind.lower()}/revision/{number}/tags", body)
    say(f"Tags of {kind}:{number} updated.")
    return 0
