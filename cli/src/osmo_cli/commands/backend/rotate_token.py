"""`osmo backend rotate-token NAME`: two tokens are good until the old one ends, so that no agent need stop."""

import argparse
import re
from pathlib import Path

from osmo_cli.arguments import add_format
from osmo_cli.commands.backend.paths import token_path
from osmo_cli.commands.backend.secret_file import check_writable, write_secret
from osmo_cli.output import local_time, say, say_json
from osmo_cli.session import Session

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="the backend")
    parser.add_argument(
        "--grace",
        type=_seconds,
        default="1h",
        metavar="TIME",
        help="how long the old token is good yet: 30m, 1h, 2d (1h)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the token to a file instead of showing it")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    add_format(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    if args.out:
        check_writable(args.out, force=args.force)
    found = session.client().write("POST", token_path(args.name), {"grace_s": args.grace})
    if args.out:
        write_secret(args.out, found["token"])
    if args.format_type == "json":
        say_json(found)
        return 0
    say(
        f"Backend {args.name} has a new token ({found['token_id']})"
        + (f", in {args.out}." if args.out else ", shown only now:\n")
    )
    if not args.out:
        say(f"  {found['token']}\n")
    if found["previous_end_at"]:
        say(f"The one before it is good until {local_time(found['previous_end_at'])}.")
    say("The agent takes the new one when it connects again, without a restart, once it is in the Secret:\n")
    say(
        f"  kubectl --namespace osmo create secret generic osmo-agent --from-file=token={args.out or 'FILE'} "
        "--dry-run=client -o yaml | kubectl apply -f -"
    )
    return 0


def _seconds(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,7})([smhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is not like 30m, 1h or 2d")
    return int(found[1]) * UNITS[found[2]]
