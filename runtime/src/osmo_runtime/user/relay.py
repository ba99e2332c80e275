"""From a pipe to ctrl: whole lines, as soon as they are there."""

import os
from collections.abc import Callable

from osmo_runtime.user.lines import LineCutter

READ_BYTES = 64 * 1024


class Relay:
    """Reads `descriptor` without blocking and hands every run of whole lines to `send`, and whether the last one goes on. Owns the descriptor."""

    def __init__(self, descriptor: int, send: Callable[[str, bool], None]) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self._send = send
        self._cutter = LineCutter()

    def read(self) -> bool:
        """Pass on what is there, at most READ_BYTES of it; False when there was nothing, or there never will be."""
        try:
            chunk = os.read(self.descriptor, READ_BYTES)
        except BlockingIOError:
            return False
        self._pass_on(self._cutter.feed(chunk))
        return bool(chunk)

    def finish(self) -> None:
        """Pass on everything that is left, the unfinished last line too, and close."""
        while self.read():
            pass
        self._pass_on(self._cutter.finish())
        os.close(self.descriptor)

    def _pass_on(self, text: str | None) -> None:
        if text is not None:
            self._send(text, self._cutter.cut)
