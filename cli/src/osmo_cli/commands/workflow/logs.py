"""`osmo workflow logs ID`: what was written so far, then what is being written."""

import argparse
import sys

from osmo_cli.arguments import from_zero, positive
from osmo_cli.client import Params
from osmo_cli.errors import INTERRUPTED, UserError
from osmo_cli.output import say
from osmo_cli.session import Session
from osmo_cli.text_stream import copy_to_stdout


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workflow_id")
    parser.add_argument("-t", "--task", help="of this task only")
    parser.add_argument("-r", "--retry-id", type=from_zero, help="of this attempt of the task (the latest)")
    parser.add_argument("--error", action="store_true", help="what the task's containers wrote when it failed")
    parser.add_argument("-n", "--last-n-lines", type=positive, help="begin with the last so many lines")
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    if not args.task and (args.error or args.retry_id is not None):
        raise UserError("--retry-id and --error need --task.")
    params: Params = {
        "last_n_lines": args.last_n_lines,
        "task_name": args.task,
        "retry_id": args.retry_id or None,
    }
    what = "error_logs" if args.error else "logs"
    response = session.client().stream(f"api/workflow/{args.workflow_id}/{what}", params)
    say(f"Workflow {args.workflow_id} has {what.replace('_', ' ')}:")
    try:
        complete = copy_to_stdout(response)
    except KeyboardInterrupt:
        _say_detached(args.workflow_id)
        return INTERRUPTED
    if not complete:
        sys.stderr.write(
            f"The connection broke before the end of the logs. See them again: osmo workflow logs {args.workflow_id}\n"
        )
    return 0


def _say_detached(workflow_id: str) -> None:
    sys.stderr.write(
        f"\nDetached: {workflow_id} goes on without you.\n"
        f"Come back: osmo workflow logs {workflow_id}      Stop it: osmo workflow cancel {workflow_id}\n"
    )
