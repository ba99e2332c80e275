"""`osmo workflow validate FILE`."""

import argparse
from pathlib import Path

from osmo_cli.arguments import add_label, add_set
from osmo_cli.default_pool import default_pool
from osmo_cli.output import say
from osmo_cli.session import Session
from osmo_cli.spec_file import read_spec
from osmo_cli.submission import Submission


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workflow_file", help="a spec file")
    add_set(parser)
    parser.add_argument("-p", "--pool", help="against which pool (your default pool)")
    add_label(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args, client = session.args, session.client()
    pool = args.pool or default_pool(client)
    source = read_spec(Path(args.workflow_file))
    submission = Submission(client, pool, source, args.set, args.set_string, labels=args.label)
    args.judged = submission.judged
    answer = submission.validate()
    say(answer["logs"])
    for warning in answer.get("warnings") or ():
        say(f"WARNING: {warning}")
    return 0
