"""`osmo workflow events ID`."""

import argparse
import sys

from osmo_cli.arguments import from_zero
from osmo_cli.errors import UserError
from osmo_cli.output import say
from osmo_cli.session import Session
from osmo_cli.text_stream import copy_to_stdout


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workflow_id")
    parser.add_argument("-t", "--task", help="of this task only")
    parser.add_argument("-r", "--retry-id", type=from_zero, help="of this attempt of the task")
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    if args.retry_id is not None and not args.task:
        raise UserError("--retry-id needs --task.")
    params = {"task_name": args.task, "retry_id": args.retry_id or None}
    response = session.client().stream(f"api/workflow/{args.workflow_id}/events", params)
    say(f"Workflow {args.workflow_id} has events:")
    if not copy_to_stdout(response):
        sys.stderr.write("The connection broke before the end of the events.\n")
    return 0
