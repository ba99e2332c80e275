"""`osmo logout`: forget the login."""

import argparse

from osmo_cli.login_file import delete_login
from osmo_cli.output import say
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    delete_login(session.directory)
    say("Successfully logged out.")
    return 0
