"""`osmo profile list` and `set`: what the server knows of us."""

import argparse
from typing import Any

from osmo_cli.arguments import LazyParser, add_format
from osmo_cli.errors import UserError
from osmo_cli.output import say, say_json
from osmo_cli.session import Session

NOTIFICATIONS = ("email", "slack")
BOOLEANS = {"true": True, "false": False}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=LazyParser)
    listing = commands.add_parser("list", help="show your settings, pools and roles")
    add_format(listing)
    listing.set_defaults(run=show)
    setting = commands.add_parser("set", help="change one setting")
    setting.add_argument("setting", choices=("pool", "notifications"), help="what to change")
    setting.add_argument("value", help="the pool's name, or which notification: email or slack")
    setting.add_argument("enabled", nargs="?", choices=tuple(BOOLEANS), default="true", help="for notifications (true)")
    setting.set_defaults(run=change)


def show(session: Session) -> int:
    found = session.client().get("api/profile/settings")
    if session.args.format_type == "json":
        say_json(found, indent=2)
        return 0
    login = session.login()
    profile = found["profile"]
    say("user:")
    _item("name", login.name if login else None)
    _item("email", profile.get("username"))
    say("notifications:")
    _item("email", profile.get("email_notification"))
    _item("slack", profile.get("slack_notification"))
    say("pool:")
    _item("default", profile.get("pool"))
    say("  accessible:")
    _items(found.get("pools"))
    if token := found.get("token"):
        say("token:")
        _item("name", token["name"])
        _item("expires at", str(token.get("expires_at") or "-").split("T", maxsplit=1)[0])
    say("roles:")
    _items(found.get("roles"))
    return 0


def change(session: Session) -> int:
    args = session.args
    if args.setting == "pool":
        body: dict[str, Any] = {"pool": args.value}
    elif args.value in NOTIFICATIONS:
        body = {f"{args.value}_notification": BOOLEANS[args.enabled]}
    else:
        raise UserError("Notifications are email or slack.")
    session.client().post("api/profile/settings", body=body)
    say("Profile Set")
    return 0


def _item(name: str, value: object) -> None:
    say(f"  {name}: {'-' if value is None else value}")


def _items(values: list[str] | None) -> None:
    for value in values or ():
        say(f"  - {value}")
