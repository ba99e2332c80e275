"""`osmo workflow cancel ID...`."""

import argparse
from typing import Any

from osmo_cli.arguments import add_format
from osmo_cli.errors import ServerError, UserError
from osmo_cli.output import say, say_json
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workflow_ids", nargs="+", metavar="workflow_id")
    parser.add_argument("-m", "--message", help="why, for whoever looks at it later")
    parser.add_argument("-f", "--force", action="store_true", help="also when it has ended or will not end")
    add_format(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    """Ask for each; one that cannot be cancelled is said and does not stop the others, as in the public CLI."""
    args, client = session.args, session.client()
    for workflow_id in args.workflow_ids:
        params = {"force": args.force, "message": args.message}
        try:
            answer: Any = client.post(f"api/workflow/{workflow_id}/cancel", params)
        except (ServerError, UserError) as error:
            if error.status == 429:
                raise
            say(f"Workflow {workflow_id} was not cancelled: {error.message}")
            continue
        if args.format_type == "json":
            say_json(answer)
        else:
            say(f"Cancel job for workflow {answer['name']} is submitted!")
    return 0
