"""Why a control container gives up."""


class CtrlFailure(Exception):
    """`code` is one of osmo_runtime.exit_codes; the message is for the user."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
