"""`osmo workflow tag`: the tags that there are, or those of workflows."""

import argparse

from osmo_cli.errors import UserError
from osmo_cli.output import say
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-w", "--workflow", nargs="+", action="extend", default=[], metavar="ID", help="workflows to change"
    )
    parser.add_argument("-a", "--add", nargs="+", action="extend", default=[], metavar="TAG")
    parser.add_argument("-r", "--remove", nargs="+", action="extend", default=[], metavar="TAG")
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args, client = session.args, session.client()
    if not args.workflow:
        if args.add or args.remove:
            raise UserError("Which workflows? Name them with --workflow.")
        say("Tags:")
        for tag in client.get("api/tag")["tags"]:
            say(f"- {tag}")
        return 0
    for workflow_id in args.workflow:
        client.post(f"api/workflow/{workflow_id}/tag", {"add": args.add, "remove": args.remove})
        say(f"Workflow {workflow_id} updated.")
    return 0
