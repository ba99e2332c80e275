"""Every line of the task, from the moment it is read until log-router has stored it.

Lines gather in an open batch. A batch is sealed into a frame of the wire when it is full, or when the sender has nothing else to send:
a quiet task's line leaves at once, a loud one's leave by the thousand. Sealed frames wait in memory, beyond a bound on disk; beyond that
bound lines are dropped, counted, and said in the log. Adding never waits.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from osmo_api.ctrl import ENCODER, FROM_CTRL, Lines
from osmo_runtime.ctrl.spill import Place, Spill

BATCH_LINES = 1000
BATCH_BYTES = 256 * 1024
MEMORY_BYTES = 4 << 20
WINDOW_BYTES = 2 << 20
LONGEST_LINE = 32 * 1024
LINE_OVERHEAD = 32
"""What a line costs on the wire beside its text."""

Line = tuple[int, str, str]


class _Frame:
    """A sealed batch: positions `first` .. `end - 1`. Its bytes are in `data` or at `place`."""

    __slots__ = ("data", "end", "first", "place", "size")

    def __init__(self, first: int, end: int, data: bytes) -> None:
        self.first = first
        self.end = end
        self.size = len(data)
        self.data: bytes | None = data
        self.place: Place | None = None


class Outbox:
    """Owned by one event loop. `changed` is set whenever there may be something new to send."""

    def __init__(self, spill: Spill, *, memory_bytes: int = MEMORY_BYTES) -> None:
        self.changed = asyncio.Event()
        self.ended = asyncio.Event()
        """Set once log-router has stored the end marker."""
        self.dropped = 0
        """Lines lost so far to a full buffer."""
        self._spill = spill
        self._memory_bound = memory_bytes
        self._in_memory = 0
        self._open: list[Line] = []
        self._open_bytes = 0
        self._next = 0
        self._unsaid = 0
        self._sent: deque[_Frame] = deque()
        self._sent_bytes = 0
        self._waiting: deque[_Frame] = deque()
        self._end_asked = False
        self._last_at = 0

    # -- the task's side --------------------------------------------------------------------------------------------

    def add(self, at_ms: int, source: str, lines: Sequence[str]) -> None:
        """Take these lines. A line longer than LONGEST_LINE becomes several."""
        self._last_at = at_ms
        if max(map(len, lines), default=0) > LONGEST_LINE:
            lines = [piece for line in lines for piece in _pieces(line)]
        for start in range(0, len(lines), BATCH_LINES):
            part = lines[start : start + BATCH_LINES]
            self._open.extend([(at_ms, source, line) for line in part])
            self._open_bytes += sum(map(len, part)) + LINE_OVERHEAD * len(part)
            if len(self._open) >= BATCH_LINES or self._open_bytes >= BATCH_BYTES:
                self._seal()
        self.changed.set()

    def end(self) -> None:
        """No line will follow."""
        self._end_asked = True
        self._seal()
        self.changed.set()

    # -- the connection's side --------------------------------------------------------------------------------------

    def resume(self, next_line: int) -> None:
        """A new connection: what log-router has is forgotten, everything else is to be sent again."""
        self._sent.extend(self._waiting)
        self._waiting, self._sent = self._sent, deque()
        self._sent_bytes = 0
        while self._waiting and self._waiting[0].end <= next_line and not _is_end(self._waiting[0]):
            self._forget(self._waiting.popleft())
        if self._waiting and self._waiting[0].first < next_line:
            self._cut(self._waiting[0], next_line)
        self.changed.set()

    def next_frame(self) -> bytes | None:
        """The next frame to send; None while the window is full or there is nothing."""
        if self._sent_bytes >= WINDOW_BYTES:
            return None
        if not self._waiting and self._open:
            self._seal()
        if not self._waiting:
            return None
        frame = self._waiting.popleft()
        self._sent.append(frame)
        self._sent_bytes += frame.size
        return self._bytes_of(frame)

    def acked(self, next_line: int, ended: bool) -> None:
        """Log-router has stored everything before `next_line`, and the end marker when `ended`."""
        while self._sent and self._sent[0].end <= next_line and (ended or not _is_end(self._sent[0])):
            frame = self._sent.popleft()
            self._sent_bytes -= frame.size
            self._forget(frame)
        if ended:
            self.ended.set()
        self.changed.set()

    @property
    def unacknowledged(self) -> int:
        """Lines that log-router has not stored yet."""
        first = self._sent[0].first if self._sent else self._waiting[0].first if self._waiting else self._next
        return self._next - first + len(self._open)

    # -- frames -----------------------------------------------------------------------------------------------------

    def _seal(self) -> None:
        """Turn the open batch into a frame, or count it as dropped where there is no room."""
        lines, self._open, self._open_bytes = self._open, [], 0
        if not lines and not (self._end_asked and not self._end_made()):
            return
        said = [(self._last_at, "OSMO_CTRL", _loss(self._unsaid)), *lines] if self._unsaid else lines
        end = self._next + len(said)
        frame = _Frame(
            self._next, end, ENCODER.encode(Lines(self._next, said, dropped=self._unsaid, end=self._end_asked))
        )
        if self._keep(frame, at_any_cost=self._end_asked):
            self._waiting.append(frame)
            self._next = end
            self._unsaid = 0
        else:
            self._unsaid += len(lines)
            self.dropped += len(lines)

    def _end_made(self) -> bool:
        last = self._waiting[-1] if self._waiting else self._sent[-1] if self._sent else None
        return self.ended.is_set() or (last is not None and _is_end(last))

    def _keep(self, frame: _Frame, *, at_any_cost: bool) -> bool:
        if at_any_cost or self._in_memory + frame.size <= self._memory_bound:
            self._in_memory += frame.size
            return True
        assert frame.data is not None
        frame.place = self._spill.put(frame.data)
        frame.data = None
        return frame.place is not None

    def _bytes_of(self, frame: _Frame) -> bytes:
        if frame.data is not None:
            return frame.data
        assert frame.place is not None
        return self._spill.get(frame.place)

    def _forget(self, frame: _Frame) -> None:
        if frame.place is not None:
            self._spill.release(frame.place)
        else:
            self._in_memory -= frame.size

    def _cut(self, frame: _Frame, next_line: int) -> None:
        """Leave out the lines of this frame that are stored already."""
        whole = FROM_CTRL.decode(self._bytes_of(frame))
        assert isinstance(whole, Lines)
        self._forget(frame)
        rest = Lines(next_line, whole.lines[next_line - frame.first :], end=whole.end)
        frame.first, frame.data, frame.place = next_line, ENCODER.encode(rest), None
        frame.size = len(frame.data)
        self._in_memory += frame.size


def _is_end(frame: _Frame) -> bool:
    return frame.data is not None and frame.data.endswith(b'"end":true}')


def _loss(count: int) -> str:
    return f"{count} lines were lost here: log-router was away or slow for longer than the buffer lasts"


def _pieces(line: str) -> list[str]:
    return [line[start : start + LONGEST_LINE] for start in range(0, len(line), LONGEST_LINE)] or [""]
