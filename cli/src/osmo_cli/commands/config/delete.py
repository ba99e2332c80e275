"""`osmo config delete`: a config object, or a revision from the history."""

import argparse

from osmo_cli.commands.config.names import SINGLE, add_description, add_tags, reference, said
from osmo_cli.errors import UserError
from osmo_cli.output import say
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config_type", type=reference, metavar="TYPE[:REVISION]", help="the type, or a revision of it")
    parser.add_argument("name", nargs="?", help="the object to delete")
    add_description(parser)
    add_tags(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    what = args.config_type
    if what.revision is not None:
        if args.name:
            raise UserError("Name an object or a revision, not both.")
        session.client().write(
            "DELETE", f"api/configs/history/{what.kind.lower()}/revision/{what.revision}", said(args)
        )
        say(f"Deleted revision {what}.")
        return 0
    if not args.name:
        raise UserError(f"Name what to delete: {what.kind} NAME, or {what.kind}:REVISION.")
    if what.kind in SINGLE:
        raise UserError(f"The {what.kind} config cannot be deleted.")
    session.client().write("DELETE", f"{what.path}/{args.name}", said(args))
    say(f"Successfully deleted {what.kind} config {args.name}.")
    return 0
