"""Cutting a byte stream into lines that can be sent as text."""

LONGEST_LINE = 32 * 1024


class LineCutter:
    """Keeps the unfinished last line until it ends, or is longer than LONGEST_LINE."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> str | None:
        """The whole lines that are complete now, joined by newlines, or None when there are none."""
        buffered = self._rest + chunk
        end = buffered.rfind(b"\n")
        if end >= 0:
            self._rest = buffered[end + 1 :]
            return buffered[:end].decode("utf-8", "replace")
        if len(buffered) >= LONGEST_LINE:
            self._rest = b""
            return buffered.decode("utf-8", "replace")
        self._rest = buffered
        return None

    def finish(self) -> str | None:
        """The last line, where the stream did not end with a newline."""
        rest, self._rest = self._rest, b""
        return rest.decode("utf-8", "replace") if rest else None
