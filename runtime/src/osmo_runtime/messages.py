"""What the control container and the user container say to each other over the Unix socket: one JSON object per line, with a `Type`.

`MessageOut`, `MessageErr` and `MessageOps` carry one or more whole lines, joined by newlines, so that a fast writer costs one
message per read and not one per line. With `Cut` the text is a piece of an endless line, which goes on in the next message of its kind. Plain `json`, because the wrapper around the user's command must stay small.
"""

import json
from typing import Any, Final

EXEC_START: Final = "ExecStart"
"""ctrl -> user: start the command; `OutputFolder` is where it leaves its results."""
EXEC_FINISHED: Final = "ExecFinished"
"""user -> ctrl: the command ended with 0."""
EXEC_FAILED: Final = "ExecFailed"
"""user -> ctrl: the command ended otherwise (`ExitCode`), or could not be started (`MessageErr`). `ToldToEnd`: after its container was."""
MESSAGE_OUT: Final = "MessageOut"
MESSAGE_ERR: Final = "MessageErr"
MESSAGE_OPS: Final = "MessageOps"
CTRL_FAILED: Final = "CtrlFailed"
"""ctrl -> user: there will be no start; end with 0."""
USER_STOP: Final = "UserStop"
"""ctrl -> user: kill the command, and wait."""
USER_STOP_FINISHED: Final = "UserStopFinished"
USER_START: Final = "UserStart"
"""ctrl -> user: run the command again."""


def encode(kind: str, **fields: str | int) -> bytes:
    return (
        json.dumps({"Type": kind, **fields}, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        + b"\n"
    )


def decode(line: bytes) -> dict[str, Any]:
    """The message, or an empty one for a line that is none."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
