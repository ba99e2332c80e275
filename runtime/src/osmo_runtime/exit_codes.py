"""How the programs in a pod end. A control container's code appears to users with 2000 added."""

import os
from typing import Final

DOWNLOAD: Final = 10
UPLOAD: Final = 12
AUTHORISATION_UNKNOWN: Final = 13
NOT_AUTHORISED: Final = 14
BAD_TOKEN: Final = 20
USER_CONTAINER: Final = 23
BARRIER: Final = 24
BAD_INPUT: Final = 30
TERMINATED: Final = 1
MISCELLANEOUS: Final = 40

NOT_EXECUTABLE: Final = 126
NOT_FOUND: Final = 127
SIGNAL_OFFSET: Final = 128
"""A command that signal n ended gives 128 + n, as shells have it (137 for a kill)."""


def exit_code_of(wait_status: int) -> int:
    """The exit code for a status of `waitpid`."""
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else SIGNAL_OFFSET - code
