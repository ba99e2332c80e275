"""`osmo config rollback`: everything of a type as it was; itself a new revision."""

import argparse

from osmo_cli.commands.config.names import add_description, add_tags, revision_reference, said
from osmo_cli.output import say
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("revision", type=revision_reference, metavar="TYPE:REVISION", help="where to go back to")
    add_description(parser, "--description")
    add_tags(parser, "--tags")
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    what = session.args.revision
    body = {"config_type": what.kind, "revision": what.revision, **said(session.args)}
    session.client().write("POST", "api/configs/history/rollback", body)
    say(f"Successfully rolled back {what.kind} to revision {what.revision}.")
    return 0
