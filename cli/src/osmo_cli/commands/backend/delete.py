"""`osmo backend delete NAME`."""

import argparse

from osmo_cli.arguments import add_format
from osmo_cli.commands.backend.paths import backend_path
from osmo_cli.output import say, say_json
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Forget a cluster: its tokens are revoked, its nodes are gone, and any cluster may have the name."
    )
    parser.add_argument("name", help="the backend")
    parser.add_argument(
        "--force", action="store_true", help="also where pools use it and work runs there, which then fails"
    )
    add_format(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    session.client().write("DELETE", backend_path(args.name), {"force": args.force})
    if args.format_type == "json":
        say_json({"backend": args.name, "deleted": True})
    else:
        say(f"Backend {args.name} is deleted.")
    return 0
