"""Cutting a byte stream into lines that can be sent as text."""

LONGEST_LINE = 32 * 1024


class LineCutter:
    """Keeps the unfinished last line until it ends, or is longer than LONGEST_LINE. `cut`: what was given last is a piece of a line that goes on."""

    def __init__(self) -> None:
        self._rest = b""
        self.cut = False

    def feed(self, chunk: bytes) -> str | None:
        """The whole lines that are complete now, joined by newlines, or None when there are none."""
        buffered = self._rest + chunk
        end = buffered.rfind(b"\n")
        self.cut = end < 0 and len(buffered) >= LONGEST_LINE
        if end >= 0:
            self._rest = buffered[end + 1 :]
            return buffered[:end].decode("utf-8", "replace")
        if self.cut:
            end = _character_end(buffered)
            self._rest = buffered[end:]
            return buffered[:end].decode("utf-8", "replace")
        self._rest = buffered
        return None

    def finish(self) -> str | None:
        """The last line, where the stream did not end with a newline."""
        rest, self._rest, self.cut = self._rest, b"", False
        return rest.decode("utf-8", "replace") if rest else None


def _character_end(buffered: bytes) -> int:
    """Where the last character that may be incomplete begins, so that none is cut in two; the end, where all are complete."""
    for back in range(1, 4):
        if buffered[-back] & 0xC0 != 0x80:
            return len(buffered) - back if buffered[-back] >= 0xC0 else len(buffered)
    return len(buffered)
