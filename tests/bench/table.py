"""One row per figure, printed as a Markdown table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

HEAD = ("what", "ours", "limit in this run", "bar", "verdict")


@dataclass(frozen=True)
class Row:
    """`value` against `bar`, where there is one; `ours` and `limit` are what people read."""

    what: str
    ours: str
    value: float | None = None
    bar: float | None = None
    better: Literal["more", "less"] = "more"
    bar_text: str = ""
    limit: str = ""

    @property
    def verdict(self) -> str:
        if self.value is None or self.bar is None:
            return ""
        met = self.value >= self.bar if self.better == "more" else self.value <= self.bar
        if met:
            return "met"
        missed = self.bar / self.value if self.better == "more" else self.value / self.bar
        return f"missed by {missed:.1f}x"

    def cells(self) -> tuple[str, ...]:
        return (self.what, self.ours, self.limit, self.bar_text, self.verdict)


def rate(
    what: str, per_second: float, bar: float | None = None, *, unit: str = "/s", ours: str = "", limit: str = ""
) -> Row:
    bar_text = f"at least {bar:,.0f}{unit}" if bar else ""
    return Row(what, ours or f"{per_second:,.0f}{unit}", per_second, bar, "more", bar_text, limit)


def seconds(what: str, value: float, bar: float | None = None, *, ours: str = "", limit: str = "") -> Row:
    return Row(what, ours or duration(value), value, bar, "less", f"under {duration(bar)}" if bar else "", limit)


def duration(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"


def markdown(rows: Sequence[Row]) -> str:
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    return "\n".join([text[0], "| " + " | ".join("-" * width for width in widths) + " |", *text[1:]])


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is at least as large as this share of all."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def p50_p99(values: Sequence[float]) -> str:
    return f"p50 {duration(percentile(values, 0.5))}, p99 {duration(percentile(values, 0.99))}"
