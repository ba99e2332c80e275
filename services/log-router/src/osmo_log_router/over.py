"""The end of a session, as its transport closes it."""

REFUSED = 4000
"""Not known, not allowed, or not understood: coming back would not help."""

OUT_OF_STEP = 4001
"""Positions were skipped: the control container should connect again and begin where Welcome says."""


class SessionOver(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Refused(SessionOver):
    """Said with a Bye before the connection closes."""

    def __init__(self, reason: str) -> None:
        super().__init__(REFUSED, reason)


class OutOfStep(SessionOver):
    def __init__(self, reason: str) -> None:
        super().__init__(OUT_OF_STEP, reason)
