"""`osmo app delete NAME:VERSION`, or `--all`."""

import argparse

from osmo_cli.commands.app.confirming import confirmed
from osmo_cli.commands.app.reference import app_reference
from osmo_cli.errors import UserError
from osmo_cli.output import say
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("app", type=app_reference, metavar="NAME[:VERSION]")
    parser.add_argument("-a", "--all", action="store_true", help="every version")
    parser.add_argument("-f", "--force", action="store_true", help="do not ask")
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    if args.all == (args.app.version is not None):
        raise UserError("Say which version to delete (NAME:VERSION), or --all.")
    what = f"all versions of app {args.app.name}" if args.all else f"version {args.app.version} of app {args.app.name}"
    if not args.force and not confirmed(f"Delete {what}?"):
        return 0
    params = {"all_versions": True} if args.all else args.app.params
    for version in session.client().delete(args.app.path, params)["versions"]:
        say(f"Version {version} of app {args.app.name} is deleted.")
    return 0
