"""`osmo app create NAME`."""

import argparse
from pathlib import Path

from osmo_cli.commands.app.editing import file_or_editor, sent_or_kept
from osmo_cli.commands.app.reference import app_name
from osmo_cli.errors import UserError
from osmo_cli.output import say
from osmo_cli.session import Session

SKELETON = """# The spec of the app. What stands under default-values are its parameters.
workflow:
  name: my-workflow
  tasks:
    - name: task
      image: "{{ image }}"
      command: [sh, -c]
      args: [echo hello]

default-values:
  image: alpine:3.20
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", type=app_name)
    parser.add_argument("-d", "--description", required=True, help="what the app is for")
    parser.add_argument("-f", "--file", type=Path, help="the spec (opens your editor if left out)")
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    text = file_or_editor(args.file, SKELETON, session.environ)
    if args.file is None and text == SKELETON:
        raise UserError("The text was left as it was: no app was created.")
    path, params = f"api/app/user/{args.name}", {"description": args.description}
    sent_or_kept(text, args.name, args.file, lambda: session.client().post(path, params, text))
    say(f"App {args.name} created successfully")
    return 0
