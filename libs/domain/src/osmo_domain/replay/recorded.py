"""Work as it was recorded: what the commits of WORKFLOWS say arrived, asked and ran, to be replayed on other pools and nodes.

One line of JSON per message: `{"subject": "osmo.workflow.0.train-1", "commit": {...}}`, in the order of the stream.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from osmo_domain.commit import Commit
from osmo_domain.errors import Rejected
from osmo_domain.plan import Plan
from osmo_domain.replay.workload import Work
from osmo_domain.workflow.events import WORKFLOW_CODEC, GroupFinished, GroupPlaced, GroupQueued, WorkflowSubmitted


class Recording(Struct, frozen=True):
    """`left_out` are groups of which the lines do not say how long they ran: not placed, not finished, or without a plan."""

    works: tuple[Work, ...]
    left_out: int


class _Line(Struct, frozen=True, forbid_unknown_fields=True):
    subject: str
    commit: Raw


class _Life(Struct):
    """Of one group: when it was queued first, and when it got the place in which it ended."""

    queued: datetime
    placed: datetime | None = None


class _Fold:
    def __init__(self) -> None:
        self.works: list[tuple[datetime, Work]] = []
        self._plans: dict[str, Plan] = {}
        self._lives: dict[tuple[str, str], _Life] = {}
        self._ended = 0

    @property
    def left_out(self) -> int:
        return len(self._lives) + self._ended

    def see(self, subject: str, event: object) -> None:
        match event:
            case WorkflowSubmitted(plan=Plan() as plan):
                self._plans[subject] = plan
            case GroupQueued():
                self._lives.setdefault((subject, event.group), _Life(event.at))
            case GroupPlaced():
                life = self._lives.get((subject, event.group))
                if life is not None:
                    life.placed = event.at
            case GroupFinished():
                self._finish(subject, event)
            case _:
                pass

    def _finish(self, subject: str, event: GroupFinished) -> None:
        life, plan = self._lives.pop((subject, event.group), None), self._plans.get(subject)
        if life is None:
            return
        if life.placed is None or plan is None:
            self._ended += 1
            return
        asks = next(tuple(task.resources for task in each.tasks) for each in plan.groups if each.name == event.group)
        ran = max(0.0, (event.at - life.placed).total_seconds())
        self.works.append((life.queued, Work(plan.pool, 0, ran, plan.priority, asks)))


def recorded(lines: Iterable[bytes]) -> Recording:
    """Each group arrives when it was queued and runs as long as it held its last place. Rejected, with the line, where one is no message."""
    fold = _Fold()
    for number, line in enumerate(lines, 1):
        if line.strip():
            found = _read(line, number)
            for event in found[1].events:
                fold.see(found[0], event)
    beginning = min((at for at, _ in fold.works), default=None)
    works = [
        msgspec.structs.replace(work, at=(at - beginning).total_seconds())
        for at, work in fold.works
        if beginning is not None
    ]
    return Recording(tuple(sorted(works, key=lambda work: work.at)), fold.left_out)


def _read(line: bytes, number: int) -> tuple[str, Commit[object]]:
    try:
        found = msgspec.json.decode(line, type=_Line)
        return found.subject, WORKFLOW_CODEC.decode(bytes(found.commit))  # type: ignore[return-value]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejected("recording.invalid", str(error), line=number) from error
