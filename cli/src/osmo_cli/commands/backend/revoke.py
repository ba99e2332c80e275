"""`osmo backend revoke NAME [TOKEN]`."""

import argparse

from osmo_cli.arguments import add_format
from osmo_cli.commands.app.confirming import confirmed
from osmo_cli.commands.backend.paths import token_path
from osmo_cli.output import say, say_json
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "What runs in the cluster runs on; it is steered again once its agent has a token that is good."
    )
    parser.add_argument("name", help="the backend")
    parser.add_argument("token_id", nargs="?", default="", help="one token, as `osmo backend show` names it (all)")
    parser.add_argument("-f", "--force", action="store_true", help="do not ask")
    add_format(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    what = f"token {args.token_id}" if args.token_id else "every token"
    if not args.force and not confirmed(f"Revoke {what} of backend {args.name}?"):
        return 0
    found = session.client().delete(token_path(args.name, args.token_id))
    if args.format_type == "json":
        say_json(found)
        return 0
    if not found["revoked"]:
        say(f"Backend {args.name} has no token that could be revoked.")
        return 0
    cut = found["disconnected"]
    say(
        f"Revoked {', '.join(found['revoked'])} of backend {args.name}; {cut} connection{'' if cut == 1 else 's'} ended."
    )
    return 0
