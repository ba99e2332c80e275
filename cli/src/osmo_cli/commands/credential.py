"""`osmo credential set`, `list` and `delete`: secrets that workflows use, kept encrypted by the server."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from osmo_cli.arguments import LazyParser, add_format
from osmo_cli.data_config import DataConfig
from osmo_cli.errors import UserError
from osmo_cli.output import say, say_json, table
from osmo_cli.session import Session

KINDS = ("GENERIC", "REGISTRY", "DATA")
DATA_NEEDS = ("endpoint", "access_key_id", "access_key")
EXAMPLES = """examples:
  osmo credential set github --payload token=$GITHUB_TOKEN
  osmo credential set ssh --payload-file id_ed25519=$HOME/.ssh/id_ed25519
  osmo credential set ngc --type REGISTRY --payload registry=nvcr.io username='$oauthtoken' auth=$NGC_API_KEY
  osmo credential set lake --type DATA --payload endpoint=s3://lake access_key_id=$ID access_key=$KEY region=eu-west-1
"""


class BadPayload(UserError):
    """The arguments do not make a payload."""

    exit_code = 1


def configure(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(parser=parser)
    add_format(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=LazyParser)
    setting = commands.add_parser(
        "set",
        help="keep a credential, in place of that of the same name",
        description="Keep a credential.",
        epilog=EXAMPLES,
    )
    setting.add_argument("name", help="what workflows call it")
    setting.add_argument(
        "--type",
        choices=KINDS,
        type=str.upper,
        default="GENERIC",
        help="what it is for (GENERIC: whatever tasks do with it)",
    )
    payload = setting.add_mutually_exclusive_group(required=True)
    payload.add_argument(
        "--payload", nargs="+", action="extend", metavar="KEY=VALUE", help="its keys, with their values"
    )
    payload.add_argument(
        "--payload-file",
        nargs="+",
        action="extend",
        metavar="KEY=PATH",
        help="its keys, with files that hold the values",
    )
    setting.set_defaults(run=set_credential)
    listing = commands.add_parser("list", help="list your credentials, without their values")
    listing.set_defaults(run=list_credentials)
    deletion = commands.add_parser("delete", help="delete a credential")
    deletion.add_argument("name", help="its name")
    deletion.set_defaults(run=delete_credential)


def set_credential(session: Session) -> int:
    args = session.args
    payload = _payload(args.payload or (), args.payload_file or ())
    local = None
    if args.type == "DATA":
        payload = _checked_data(payload)
        local = DataConfig(session.directory)
    session.client().post(_path(args.name), body=_body(args.type, payload))
    if local is not None:
        local.set(payload["endpoint"], {key: value for key, value in payload.items() if key != "endpoint"})
    if args.format_type == "json":
        say_json({"cred_name": args.name, "cred_type": args.type}, indent=2)
    else:
        say(f"Set {args.type} credential {args.name}.")
    return 0


def list_credentials(session: Session) -> int:
    found = session.client().get("api/credentials")
    if session.args.format_type == "json":
        say_json(found, indent=2)
        return 0
    local = DataConfig(session.directory)
    rows = [
        [each["cred_name"], each["cred_type"], each["profile"], _locally(each, local)] for each in found["credentials"]
    ]
    say(table(["Name", "Type", "Profile", "Local"], rows))
    return 0


def delete_credential(session: Session) -> int:
    found = session.client().delete(_path(session.args.name))
    (deleted,) = found["credentials"]
    if deleted["cred_type"] == "DATA":
        DataConfig(session.directory).remove(deleted["profile"])
    if session.args.format_type == "json":
        say_json(found, indent=2)
    else:
        say(f"Deleted credential {session.args.name}.")
    return 0


def _path(name: str) -> str:
    return f"api/credentials/{quote(name, safe='')}"


def _locally(row: Mapping[str, Any], local: DataConfig) -> str:
    """Whether `osmo data` on this machine can use it."""
    if row["cred_type"] != "DATA":
        return "N/A"
    return "Yes" if row["profile"] in local else "No"


def _payload(given: Sequence[str], files: Sequence[str]) -> dict[str, str]:
    """Messages never show what stands behind the `=`."""
    payload: dict[str, str] = {}
    for word in (*given, *files):
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise BadPayload(
                f"A payload consists of KEY={'PATH' if files else 'VALUE'}; one of the words has no key or no `=`."
            )
        if key in payload:
            raise BadPayload(f"The payload has the key {key} twice.")
        payload[key] = _content(key, value) if files else value
        if not payload[key]:
            sys.stderr.write(f"Note: the value of {key} is empty.\n")
    return payload


def _content(key: str, path: str) -> str:
    try:
        return Path(path).expanduser().read_bytes().decode()
    except OSError as error:
        raise BadPayload(f"The file for {key} cannot be read: {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise BadPayload(f"The file for {key}, {path}, is not text in UTF-8. Keep it in base64.") from error


def _checked_data(payload: Mapping[str, str]) -> dict[str, str]:
    missing = [key for key in DATA_NEEDS if not payload.get(key)]
    if missing:
        raise BadPayload(f"A DATA credential needs {', '.join(missing)}.")
    return {**payload, "endpoint": payload["endpoint"].rstrip("/")}


def _body(kind: str, payload: Mapping[str, str]) -> dict[str, Any]:
    if kind == "GENERIC":
        return {"generic_credential": {"credential": dict(payload)}}
    return {f"{kind.lower()}_credential": dict(payload)}
