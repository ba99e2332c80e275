"""`osmo workflow submit FILE|ID`."""

import argparse
from pathlib import Path
from typing import Any

from osmo_cli.arguments import add_format, add_label, add_set
from osmo_cli.client import Param
from osmo_cli.commands.workflow.submitted import say_submitted
from osmo_cli.default_pool import default_pool
from osmo_cli.errors import SubmissionError, UserError
from osmo_cli.output import say, say_json
from osmo_cli.session import Session
from osmo_cli.spec_file import SpecSource, read_spec
from osmo_cli.statuses import PRIORITIES
from osmo_cli.submission import Submission, looks_like_id, resubmit

SUCCESS = "Workflow submit successful."


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workflow_file", help="a spec file, or the id of a workflow to submit again")
    add_submit_flags(parser)
    parser.set_defaults(run=run)


def add_submit_flags(parser: argparse.ArgumentParser) -> None:
    """What every way to submit takes."""
    add_format(parser)
    add_set(parser)
    parser.add_argument(
        "--set-env",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="set an environment variable in every task",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the rendered spec and submit nothing")
    parser.add_argument("-p", "--pool", help="where to run it (your default pool)")
    parser.add_argument(
        "--rsync", metavar="LOCAL:REMOTE", help="keep a local folder in step with the lead task (not in this release)"
    )
    parser.add_argument("--priority", choices=PRIORITIES, help="LOW may be preempted (NORMAL)")
    add_label(parser)


def run(session: Session) -> int:
    path = Path(session.args.workflow_file)
    if path.is_file():
        return submit_source(session, read_spec(path))
    _check_rsync(session)
    return _submit_again(session)


def submit_source(session: Session, source: SpecSource, app: dict[str, Param] | None = None) -> int:
    """Submit a spec as the flags say; `app` are the parameters that name the app it came from."""
    _check_rsync(session)
    args, client = session.args, session.client()
    pool = args.pool or default_pool(client)
    submission = Submission(
        client, pool, source, args.set, args.set_string, args.set_env, args.label, args.priority, app or {}
    )
    args.judged = submission.judged
    if args.dry_run:
        say(submission.rendered().rstrip("\n"))
        return 0
    _say_answer(session, submission.submit(), pool)
    return 0


def _check_rsync(session: Session) -> None:
    if session.args.rsync:
        raise UserError("--rsync is not part of this release: nothing was submitted.")


def _submit_again(session: Session) -> int:
    args = session.args
    if not looks_like_id(args.workflow_file):
        raise SubmissionError(f"There is no workflow file {args.workflow_file}, and it is not a workflow's id either.")
    if args.dry_run or args.set or args.set_string:
        say("A workflow is submitted again as it was: --dry-run, --set and --set-string need a spec file.")
        return 0
    client = session.client()
    pool = args.pool or default_pool(client)
    answer = resubmit(client, pool, args.workflow_file, priority=args.priority, labels=args.label, env=args.set_env)
    _say_answer(session, answer, pool)
    return 0


def _say_answer(session: Session, answer: Any, pool: str) -> None:
    if session.args.format_type == "json":
        say_json(answer)
    else:
        priority = session.args.priority
        say_submitted(answer, headline=SUCCESS, client=session.client(), pool=pool, priority=priority)
