"""From stored lines to the text that people read (and that tools parse): `2026/11/20 11:21:50 [task] text`."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from osmo_domain.logs import LineSource, LogBatch, LogLine

CONTROL = frozenset({LineSource.OSMO_CTRL, LineSource.DOWNLOAD, LineSource.UPLOAD})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_SECOND = 253_402_300_799


class LineWriter:
    """Writes the lines of one attempt. Batches that come again, and the parts of them that were seen, are left out."""

    def __init__(self, task: str, retry_id: int, sources: frozenset[LineSource] | None = None) -> None:
        self._name = f" [{task} retry-{retry_id}]" if retry_id else f" [{task}]"
        self._sources = sources
        self._second = -1
        self._time = ""
        self._next = 0
        self.ended = False

    def write(self, batch: LogBatch) -> Iterator[str]:
        seen = self._next - batch.first
        if self.ended or (seen > 0 and seen >= len(batch.lines) and not batch.end):
            return
        if batch.dropped and seen <= 0:
            yield self._dropped(batch)
        for line in batch.lines[max(0, seen) :]:
            if line.source in CONTROL and not line.text:
                continue
            if self._sources is None or line.source in self._sources:
                yield self._line(line)
        self._next = max(self._next, batch.first + len(batch.lines))
        self.ended = batch.end

    def _line(self, line: LogLine) -> str:
        return f"{self._at(line.at_ms)}{self._name}{'[osmo] ' if line.source in CONTROL else ' '}{line.text}"

    def _dropped(self, batch: LogBatch) -> str:
        at_ms = batch.lines[0].at_ms if batch.lines else max(0, self._second) * 1000
        return f"{self._at(at_ms)}{self._name}[osmo] {batch.dropped} lines are missing here: they came faster than they could be kept."

    def _at(self, at_ms: int) -> str:
        second = at_ms // 1000
        if second != self._second:
            self._second = second
            at = _EPOCH + timedelta(seconds=min(max(0, second), _LAST_SECOND))
            self._time = at.strftime("%Y/%m/%d %H:%M:%S")
        return self._time
