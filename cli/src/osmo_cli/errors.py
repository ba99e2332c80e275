"""What can go wrong in a command, and the exit code that each ends with (docs/compatibility.md).

SubmissionError   1    a workflow was refused, or its file is missing
UserError         2    anything else that the user can put right
ServerError       10   the server failed, is away, or answered nonsense
rate limited      75   any of them with status 429
KeyboardInterrupt 3
"""

from dataclasses import dataclass

INTERRUPTED = 3
RATE_LIMITED = 75


@dataclass(frozen=True, slots=True)
class Place:
    """A position in the text that was sent, counted from 1."""

    line: int
    column: int | None = None


class CliError(Exception):
    """Ends the command. `status` is the HTTP status behind it, if any."""

    exit_code = 2

    def __init__(
        self, message: str, *, status: int | None = None, workflow_id: str | None = None, place: Place | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.workflow_id = workflow_id
        self.place = place

    @property
    def code(self) -> int:
        """What `Error code:` shows."""
        return self.status if self.status is not None else 1

    @property
    def exit_status(self) -> int:
        return RATE_LIMITED if self.status == 429 else self.exit_code


class UserError(CliError):
    """The request will not do as it is."""


class CredentialError(CliError):
    """A credential is missing or was refused."""


class SubmissionError(CliError):
    """The workflow was refused."""

    exit_code = 1


class ServerError(CliError):
    """Nothing is wrong with the request: the server failed or cannot be reached."""

    exit_code = 10
