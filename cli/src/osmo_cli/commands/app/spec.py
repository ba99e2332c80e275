"""`osmo app spec NAME[:VERSION]`."""

import argparse

from osmo_cli.commands.app.reference import app_reference
from osmo_cli.errors import ServerError
from osmo_cli.session import Session
from osmo_cli.text_stream import copy_to_stdout


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("app", type=app_reference, metavar="NAME[:VERSION]")
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    app = session.args.app
    if not copy_to_stdout(session.client().stream(f"{app.path}/spec", app.params)):
        raise ServerError("The connection broke before the end of the spec.")
    return 0
