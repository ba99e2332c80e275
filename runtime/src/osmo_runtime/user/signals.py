"""Which signals a user container hears. As the first process of its namespace it gets none that it has no handler for.

What ends a container is the image's choice (STOPSIGNAL: nginx has SIGQUIT, httpd SIGWINCH, systemd SIGRTMIN+3), so whatever comes is passed on.
"""

import signal
from types import FrameType
from typing import Final, NoReturn

from osmo_runtime.exit_codes import SIGNAL_OFFSET

ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGRTMIN + 3)
PASSED_ON: Final = (*ENDING, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)


class ToldToEnd(Exception):
    """Before there was a command that could have been told."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.exit_code = SIGNAL_OFFSET + number


def end_when_told() -> None:
    """From now on until somebody else handles them, the signals that end a container raise ToldToEnd."""
    for number in ENDING:
        signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise ToldToEnd(number)
