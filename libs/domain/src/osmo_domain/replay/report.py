"""What came of a replay: waiting times, utilisation, and what preemption cost."""

from collections.abc import Sequence
from math import ceil

from msgspec import Struct

from osmo_domain.placement import Decision
from osmo_domain.replay.workload import HOUR, Work, Workload


class PoolReport(Struct, frozen=True):
    """Waits are seconds from the arrival of a gang to its first start. `gpu_hours` is what was held, `lost_gpu_hours` the part that came to nothing."""

    pool: str
    gangs: int
    tasks: int
    finished: int
    wait_p50_s: float
    wait_p95_s: float
    wait_max_s: float
    gpu_hours: float
    preempted: int
    lost_gpu_hours: float


class Report(Struct, frozen=True):
    """`utilisation` is GPU time held to GPU time there was, from the first arrival to the last end. `waiting` gangs never got a place."""

    pools: tuple[PoolReport, ...]
    gpus: int
    hours: float
    utilisation: float
    rounds: int
    placements: int
    preemptions: int
    longest_line: int
    waiting: int


class Recorder:
    """Told of each thing that happens, once."""

    def __init__(self, workload: Workload, gangs: Sequence[Work]) -> None:
        self._workload = workload
        self._gangs = gangs
        self._first: dict[int, float] = {}
        self._since: dict[int, float] = {}
        self._held = [0.0] * len(gangs)
        self._lost = [0.0] * len(gangs)
        self._preempted = [0] * len(gangs)
        self._finished: set[int] = set()
        self._last = 0.0
        self._longest = self._rounds = self._placements = self._preemptions = 0

    def arrived(self, line: int) -> None:
        """So many wait now."""
        self._longest = max(self._longest, line)

    def decided(self, decision: Decision) -> None:
        self._rounds += 1
        self._placements += len(decision.placements)
        self._preemptions += len(decision.preemptions)

    def began(self, number: int, at: float) -> None:
        self._first.setdefault(number, at)
        self._since[number] = at

    def ended(self, number: int, at: float) -> None:
        self._held[number] += self._gpu_seconds(number, at)
        self._finished.add(number)
        self._last = max(self._last, at)

    def preempted(self, number: int, at: float) -> None:
        lost = self._gpu_seconds(number, at)
        self._held[number] += lost
        self._lost[number] += lost
        self._preempted[number] += 1
        self._last = max(self._last, at)

    def _gpu_seconds(self, number: int, at: float) -> float:
        return self._gangs[number].gpus * (at - self._since.pop(number))

    def report(self, waiting: int) -> Report:
        gpus = sum(nodes.count * nodes.gpus for nodes in self._workload.nodes)
        span = self._last - self._gangs[0].at if self._gangs else 0.0
        return Report(
            pools=tuple(self._of_pool(name) for name in self._workload.pools),
            gpus=gpus,
            hours=span / HOUR,
            utilisation=sum(self._held) / (gpus * span) if gpus and span else 0.0,
            rounds=self._rounds,
            placements=self._placements,
            preemptions=self._preemptions,
            longest_line=self._longest,
            waiting=waiting,
        )

    def _of_pool(self, name: str) -> PoolReport:
        mine = [number for number, gang in enumerate(self._gangs) if gang.pool == name]
        waits = sorted(self._first[number] - self._gangs[number].at for number in mine if number in self._first)
        return PoolReport(
            pool=name,
            gangs=len(mine),
            tasks=sum(len(self._gangs[number].asks) for number in mine),
            finished=sum(number in self._finished for number in mine),
            wait_p50_s=percentile(waits, 0.5),
            wait_p95_s=percentile(waits, 0.95),
            wait_max_s=waits[-1] if waits else 0.0,
            gpu_hours=sum(self._held[number] for number in mine) / HOUR,
            preempted=sum(self._preempted[number] for number in mine),
            lost_gpu_hours=sum(self._lost[number] for number in mine) / HOUR,
        )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them do not exceed; 0 of none."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0
