"""`osmo config update`: change config objects, from a file or in the editor; only what differs is sent where the server can merge."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from osmo_cli.client import Client
from osmo_cli.commands.app.editing import edit, sent_or_kept
from osmo_cli.commands.config.names import SINGLE, add_description, add_tags, config_type, said
from osmo_cli.commands.config.patches import make_patch
from osmo_cli.commands.config.show import opened
from osmo_cli.errors import UserError
from osmo_cli.output import say
from osmo_cli.session import Session

EXAMPLES = """examples:
  osmo config update POOL lab -f lab.json -d "more GPUs for the lab"
  osmo config update POD_TEMPLATE gpu_nodes -f gpu-nodes.yaml -d "tolerate the new taint"
  osmo config update WORKFLOW -d "shorter queues"      (opens $EDITOR)
"""
PATCHED = frozenset({"POOL", "BACKEND_TEST"})
"""Types of which one object is changed by a patch."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EXAMPLES
    parser.add_argument("config_type", type=config_type, metavar="TYPE", help="what to change")
    parser.add_argument("name", nargs="?", help="one object of it; without it all objects of the type that you write")
    parser.add_argument(
        "-f", "--file", type=Path, help="the objects, as JSON or YAML; without it your editor is opened"
    )
    add_description(parser)
    add_tags(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args, client = session.args, session.client()
    kind, name = args.config_type, args.name
    _check_arguments(kind, name)
    old = _current(client, kind, name)
    if args.file is not None:
        text = _text_of(args.file)
    else:
        text = edit(json.dumps(old if old is not None else {}, indent=2) + "\n", session.environ)
    new = _read(text)
    if args.file is None and new == old:
        say("Nothing has changed.")
        return 0
    if not args.description:
        args.description = _ask_description()
    kept_as = f"{kind.lower()}{f'-{name}' if name else ''}"
    sent_or_kept(text, kept_as, args.file, lambda: _send(client, args, old, new))
    say(f"Successfully updated {kind} config{f' {name}' if name else ''}.")
    return 0


def _check_arguments(kind: str, name: str | None) -> None:
    if kind in SINGLE and name:
        raise UserError(f"There is one {kind} config, without a name.")
    if kind == "BACKEND" and not name:
        raise UserError("Name the backend: osmo config update BACKEND NAME.")


def _current(client: Client, kind: str, name: str | None) -> Any:
    """What is there; None for an object that is yet to be made."""
    objects = opened(client.get(f"api/configs/{kind.lower()}"))
    if not name:
        return objects
    return objects.get(name) if isinstance(objects, dict) else None


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read {path}: {error}.") from error


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return json.loads(json.dumps(YAML(typ="safe", pure=True).load(text)))
    except (YAMLError, TypeError, ValueError) as error:
        raise UserError(f"This is neither JSON nor YAML: {error}") from error


def _ask_description() -> str:
    if not sys.stdin.isatty():
        raise UserError("Say what the change is for: --description.")
    description = input("What is the change for? ").strip()
    if not description:
        raise UserError("Nothing was sent: a change needs a description.")
    return description


def _send(client: Client, args: argparse.Namespace, old: Any, new: Any) -> None:
    kind, name = args.config_type, args.name
    path = f"api/configs/{kind.lower()}"
    if kind in SINGLE:
        body = {"configs_dict": make_patch(old, new, whole=args.file is None)}
        client.write("PATCH", path, {**body, **said(args)})
    elif kind in PATCHED and name and old is not None:
        body = {"configs_dict": make_patch(old, new, whole=args.file is None)}
        client.write("PATCH", f"{path}/{name}", {**body, **said(args)})
    elif kind == "BACKEND":
        client.write("POST", f"{path}/{name}", {"configs": new, **said(args)})
    elif name:
        client.write("PUT", f"{path}/{name}", {"configs": new, **said(args)})
    else:
        key = "configs_dict" if kind == "RESOURCE_VALIDATION" else "configs"
        objects = opened(new)
        listed = list(objects.values()) if kind == "ROLE" and isinstance(objects, dict) else objects
        client.write("PUT", path, {key: listed, **said(args)})
