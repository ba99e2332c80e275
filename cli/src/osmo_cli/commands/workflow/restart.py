"""`osmo workflow restart ID`."""

import argparse

from osmo_cli.arguments import add_format
from osmo_cli.commands.workflow.submitted import say_submitted
from osmo_cli.default_pool import default_pool
from osmo_cli.output import say_json
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workflow_id", help="a workflow that failed")
    add_format(parser)
    parser.add_argument("-p", "--pool", help="where to run it (where it ran)")
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args, client = session.args, session.client()
    pool = args.pool or client.get(f"api/workflow/{args.workflow_id}").get("pool") or default_pool(client)
    answer = client.post(f"api/pool/{pool}/workflow/{args.workflow_id}/restart")
    if args.format_type == "json":
        say_json(answer)
    else:
        headline = f"Workflow {args.workflow_id} restarted."
        say_submitted(answer, headline=headline, client=client, pool=pool, priority=None)
    return 0
