"""How answers are printed: tables, JSON, times, errors. The only place that knows what they look like."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from osmo_cli.errors import CliError

_FORMATS = ("%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M")
GAP = "   "


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")


def say_json(value: object, *, indent: int = 4) -> None:
    say(json.dumps(value, indent=indent))


def table(header: Sequence[str], rows: Iterable[Sequence[object]], *, total: Sequence[object] | None = None) -> str:
    """Columns three spaces apart under a header underlined with `=`; `total` is a last row under a line of its own."""
    lines = [[_cell(value) for value in row] for row in rows]
    last = [_cell(value) for value in total] if total is not None else None
    everything = [list(header), *lines, *([last] if last else [])]
    widths = [max(len(row[column]) for row in everything) for column in range(len(header))]
    rule = "=" * (sum(widths) + len(GAP) * (len(widths) - 1))
    text = [_line(list(header), widths), rule, *(_line(row, widths) for row in lines)]
    if last is not None:
        text += [rule, _line(last, widths)]
    return "\n".join(text)


def _cell(value: object) -> str:
    return "-" if value is None else str(value).replace("\n", " ")


def _line(cells: list[str], widths: list[int]) -> str:
    return GAP.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def local_time(text: str | None) -> str:
    """A time of the API (UTC, without zone) as people here read it: `Nov 20, 2026 11:22 CET`."""
    if not text:
        return "-"
    for form in _FORMATS:
        try:
            found = datetime.strptime(text.replace(" ", "T", 1), form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return found.astimezone().strftime("%b %d, %Y %H:%M %Z")
    return text


def labels_text(labels: dict[str, str] | None) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "-"


def show_error(error: CliError, *, as_json: bool, source: str | None = None, source_name: str = "") -> None:
    """On stdout, as the public CLI does, so that scripts find it; with the line at fault where the server named one."""
    if as_json:
        say_json({"message": error.message, "code": error.code}, indent=2)
        return
    say(f"Error message: {error.message}")
    if excerpt := _excerpt(error, source, source_name):
        say(excerpt)
    say(f"Error code: {error.code}")


def _excerpt(error: CliError, source: str | None, source_name: str) -> str:
    """The line at fault with a caret under its column."""
    if error.place is None:
        return ""
    line, column = error.place.line, error.place.column
    where = f"  --> {source_name or 'the spec'}:{line}" + (f":{column}" if column else "")
    lines = (source or "").splitlines()
    if not 1 <= line <= len(lines):
        return where
    number = str(line)
    shown = [where, f"  {number} | {lines[line - 1]}"]
    if column:
        shown.append(f"  {' ' * len(number)} | {' ' * (column - 1)}^")
    return "\n".join(shown)
