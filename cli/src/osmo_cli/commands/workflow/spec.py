"""`osmo workflow spec ID`."""

import argparse

from osmo_cli.errors import ServerError
from osmo_cli.session import Session
from osmo_cli.text_stream import copy_to_stdout


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workflow_id")
    parser.add_argument("--template", action="store_true", help="as it was before templating")
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    response = session.client().stream(f"api/workflow/{args.workflow_id}/spec", {"use_template": args.template})
    if not copy_to_stdout(response):
        raise ServerError("The connection broke before the end of the spec.")
    return 0
