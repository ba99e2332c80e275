"""What is replayed: pools, nodes and arrivals, as a small file says them (docs/scheduling.md)."""

import random
from collections.abc import Iterator
from math import cos, pi
from typing import Annotated, Final

from msgspec import Meta, Struct, field

from osmo_domain.plan import Resources
from osmo_domain.pool import Priority

GIB: Final = 1 << 30
HOUR: Final = 3_600.0

MOST_NODES: Final = 1_000_000
"""Of all sorts together; as many gangs, too: a slip of the finger is refused before it fills the memory."""

Limit = Annotated[int, Meta(ge=-1, le=1 << 40)]
Amount = Annotated[int, Meta(ge=0, le=1 << 40)]
Number = Annotated[int, Meta(ge=1, le=MOST_NODES)]
Size = Annotated[float, Meta(ge=0, le=1e12)]
Positive = Annotated[float, Meta(gt=0, le=1e12)]


class ReplayPool(Struct, frozen=True, forbid_unknown_fields=True):
    """`platforms` maps names to the labels of their nodes; without any, work goes to all nodes. `goes_again`: what is preempted is queued again."""

    guarantee: Limit = -1
    maximum: Limit = -1
    weight: Amount = 1
    platforms: dict[str, dict[str, str]] = field(default_factory=dict)
    goes_again: bool = True


class ReplayNodes(Struct, frozen=True, forbid_unknown_fields=True):
    count: Number
    gpus: Amount = 0
    cpus: Amount = 128
    memory_gib: Size = 1_024
    storage_gib: Size = 4_096
    labels: dict[str, str] = field(default_factory=dict)


class Arrival(Struct, frozen=True, forbid_unknown_fields=True):
    """A gang of `tasks` equal tasks that run for so many seconds each; `count` of them, `every` so many seconds from `at` on."""

    pool: str
    seconds: Size
    at: Size = 0
    gpus: Amount = 0
    cpus: Amount = 1
    memory_gib: Size = 1
    tasks: Number = 1
    priority: Priority = Priority.NORMAL
    platform: str = ""
    count: Number = 1
    every: Size = 0


class Mix(Struct, frozen=True, forbid_unknown_fields=True):
    """One sort of work of a generated day: `share` of the gangs are like this; they run for `minutes` on average."""

    share: Positive
    pool: str
    minutes: Positive
    gpus: Amount = 0
    cpus: Amount = 1
    memory_gib: Size = 1
    tasks: Number = 1
    priority: Priority = Priority.NORMAL
    platform: str = ""


class Generate(Struct, frozen=True, forbid_unknown_fields=True):
    """So many tasks, arriving over so many hours, most of them around the middle; the same `seed` makes the same day."""

    tasks: Number
    mix: Annotated[tuple[Mix, ...], Meta(min_length=1)]
    hours: Positive = 24
    seed: int = 1


class Workload(Struct, frozen=True, forbid_unknown_fields=True):
    """`round_seconds`: decisions are made so often, where anything has changed. `leave_seconds`: stopped pods hold their place for so long."""

    pools: dict[str, ReplayPool]
    nodes: tuple[ReplayNodes, ...]
    arrivals: tuple[Arrival, ...] = ()
    generate: Generate | None = None
    round_seconds: Size = 1
    leave_seconds: Size = 30


class Work(Struct, frozen=True):
    """A gang that arrives once: what each of its tasks asks for, and for how many seconds all of them run."""

    pool: str
    at: float
    seconds: float
    priority: Priority
    asks: tuple[Resources, ...]

    @property
    def gpus(self) -> int:
        return sum(asked.gpu for asked in self.asks)


def works(workload: Workload) -> list[Work]:
    """Every single gang, in the order of arrival."""
    written = [each for arrival in workload.arrivals for each in _repeated(arrival)]
    made = list(_generated(workload.generate)) if workload.generate is not None else []
    return sorted([*written, *made], key=lambda work: work.at)


def _repeated(arrival: Arrival) -> Iterator[Work]:
    asks = _asks(arrival, arrival.tasks)
    for number in range(arrival.count):
        yield Work(arrival.pool, arrival.at + number * arrival.every, arrival.seconds, arrival.priority, asks)


def _asks(wanted: Arrival | Mix, tasks: int) -> tuple[Resources, ...]:
    memory = int(wanted.memory_gib * GIB)
    return (Resources(cpu=wanted.cpus, gpu=wanted.gpus, memory_bytes=memory, platform=wanted.platform),) * tasks


def _generated(wanted: Generate) -> Iterator[Work]:
    rng = random.Random(wanted.seed)
    shares = [mix.share for mix in wanted.mix]
    left = wanted.tasks
    while left > 0:
        (mix,) = rng.choices(wanted.mix, shares)
        tasks = min(mix.tasks, left)
        left -= tasks
        seconds = max(1.0, rng.expovariate(1 / (60 * mix.minutes)))
        yield Work(mix.pool, _time_of_day(rng) * wanted.hours * HOUR, seconds, mix.priority, _asks(mix, tasks))


def _time_of_day(rng: random.Random) -> float:
    """From 0 to 1; the middle is three times as likely as the ends."""
    while True:
        at = rng.random()
        if rng.random() < (2 - cos(2 * pi * at)) / 3:
            return at
