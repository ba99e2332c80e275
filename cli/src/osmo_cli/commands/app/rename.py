"""`osmo app rename OLD NEW`."""

import argparse

from osmo_cli.commands.app.confirming import confirmed
from osmo_cli.commands.app.reference import app_name
from osmo_cli.output import say
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", type=app_name, metavar="OLD")
    parser.add_argument("new", type=app_name, metavar="NEW")
    parser.add_argument("-f", "--force", action="store_true", help="do not ask")
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    if not args.force and not confirmed(
        f"Rename app {args.old} to {args.new}? Others who use it must learn the new name."
    ):
        return 0
    name = session.client().post(f"api/app/user/{args.old}/rename", body=args.new)
    say(f"App {args.old} is now called {name}.")
    return 0
