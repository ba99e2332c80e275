"""`osmo app submit NAME[:VERSION]`: as `osmo workflow submit`, with the spec of an app."""

import argparse
from pathlib import Path

from osmo_cli.commands.app.reference import app_reference
from osmo_cli.commands.workflow.submit import add_submit_flags, submit_source
from osmo_cli.errors import SubmissionError, UserError
from osmo_cli.session import Session
from osmo_cli.spec_file import SpecSource


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("app", type=app_reference, metavar="NAME[:VERSION]")
    parser.add_argument(
        "-l", "--local-path", type=Path, default=Path(), help="where the local files are that the spec names (here)"
    )
    add_submit_flags(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    app, client = session.args.app, session.client()
    found = client.get(app.path, {**app.params, "limit": 1})
    if not found["versions"]:
        raise UserError(f"App {app.name} has no version left to submit.")
    version = found["versions"][0]["version"]
    text = client.text(f"{app.path}/spec", {"version": version})
    source = SpecSource(text, f"{app.name}:{version}", _directory(session.args.local_path))
    return submit_source(session, source, {"app_uuid": found["uuid"], "app_version": version})


def _directory(path: Path) -> Path:
    """A directory is itself; a file stands for the directory that it is in."""
    if not path.exists():
        raise SubmissionError(f"There is no {path} for --local-path.")
    return (path if path.is_dir() else path.parent).resolve()
