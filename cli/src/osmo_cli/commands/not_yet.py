"""Commands that the documents name and this release does not have: they take anything, say so, and end with 2."""

import argparse
from functools import partial

from osmo_cli.errors import UserError
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.prefix_chars = "\0"  # nothing is a flag: whatever is typed behind the command is the same to it
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.set_defaults(run=partial(run, parser.prog))


def run(command: str, session: Session) -> int:
    del session
    raise UserError(f"`{command}` is not part of this release yet.")
