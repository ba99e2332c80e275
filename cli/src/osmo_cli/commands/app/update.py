"""`osmo app update NAME[:VERSION]`: a new version, made from a file or by editing an earlier one."""

import argparse
from pathlib import Path

from osmo_cli.commands.app.editing import file_or_editor, sent_or_kept
from osmo_cli.commands.app.reference import app_reference
from osmo_cli.errors import UserError
from osmo_cli.output import say
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "app", type=app_reference, metavar="NAME[:VERSION]", help="which version to start from (latest)"
    )
    parser.add_argument("-f", "--file", type=Path, help="the new spec (opens your editor if left out)")
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args, client = session.args, session.client()
    try:
        before = client.text(f"{args.app.path}/spec", args.app.params)
    except UserError:
        # An app whose versions are all deleted has none to start from, and can get a new one.
        if args.app.version is not None:
            raise
        before = ""
    text = file_or_editor(args.file, before, session.environ)
    if text == before:
        say(f"App {args.app.name} is as it was: no version was added.")
        return 0
    updated = sent_or_kept(text, args.app.name, args.file, lambda: client.patch(args.app.path, None, text))
    say(f"App {updated['name']} updated successfully")
    say(f"Version: {updated['version']}")
    return 0
