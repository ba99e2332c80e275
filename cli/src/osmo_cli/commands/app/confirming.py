"""Asking before something is gone."""

import sys

from osmo_cli.output import say


def confirmed(question: str) -> bool:
    """Whether the person says yes. The end of the input is a no."""
    while True:
        sys.stdout.write(f"{question} [y/n]: ")
        sys.stdout.flush()
        answer = sys.stdin.readline()
        word = answer.strip().lower()
        if word in {"y", "yes"}:
            return True
        if not answer or word in {"n", "no"}:
            say("Nothing was changed.")
            return False
