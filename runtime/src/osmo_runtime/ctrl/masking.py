"""Keeps secret values out of a task's log: every value of at least eight characters becomes `[MASKED]`, before a line leaves the pod.

A value of several lines is looked for line by line, as it would be printed. Values are found across the pieces in which an endless line comes.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

MASK: Final = "[MASKED]"
SHORTEST: Final = 8
"""Shorter values are no secrets worth the damage: masking `1` would make every log unreadable."""


class Masker:
    """For one task. Without values it costs nothing."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = _longest_first(values)
        self._pattern = re.compile("|".join(map(re.escape, self._values))) if self._values else None
        self._held: dict[str, str] = {}

    def text(self, text: str) -> str:
        """One text that stands for itself."""
        if self._pattern is None or not any(value in text for value in self._values):
            return text
        return self._pattern.sub(MASK, text)

    def lines(self, source: str, lines: Sequence[str], *, goes_on: bool = False) -> list[str]:
        """Lines of a stream, in its order. With `goes_on` the last one is a piece of a line whose rest is still to come: its end, where a
        value may have begun, is held back until then."""
        if self._pattern is None:
            return list(lines)
        if source in self._held and lines:
            lines = [self._held.pop(source) + lines[0], *lines[1:]]
        if not goes_on:
            return self.text("\n".join(lines)).split("\n") if lines else []
        *whole, piece = lines
        said, self._held[source] = self._cut(piece)
        return [*(self.text("\n".join(whole)).split("\n") if whole else ()), *([said] if said else ())]

    def held_back(self) -> list[tuple[str, str]]:
        """What is still held, by source, now that nothing more will come."""
        held, self._held = self._held, {}
        return [(source, self.text(rest)) for source, rest in held.items() if rest]

    def _cut(self, piece: str) -> tuple[str, str]:
        """What can be said of this piece, masked, and what must wait: only before `limit` it is sure that a value has ended."""
        assert self._pattern is not None
        limit = max(len(piece) - len(self._values[0]) + 1, 0)
        said: list[str] = []
        at = 0
        for found in self._pattern.finditer(piece):
            if found.start() >= limit:
                break
            said += [piece[at : found.start()], MASK]
            at = found.end()
        end = max(limit, at)
        return "".join([*said, piece[at:end]]), piece[end:]


def _longest_first(values: Iterable[str]) -> list[str]:
    """What to look for. At each place the longest is taken, so that one value that begins another does not leave the other's rest."""
    lines = {line for value in values for line in value.split("\n")}
    wanted = {form for line in lines for form in (line.rstrip("\r"), line.strip()) if len(form) >= SHORTEST}
    return sorted(wanted, key=lambda value: (-len(value), value))
