"""What is replayed: pools, nodes and arrivals, as a small file says them (docs/scheduling.md)."""

import random
from collections.abc import Iterator
from math import cos, pi
from typing import Final

from msgspec import Struct, field

from osmo_domain.pool import Priority

GIB: Final = 1 << 30
HOUR: Final = 3_600.0


class ReplayPool(Struct, frozen=True, forbid_unknown_fields=True):
    """`platforms` maps names to the labels of their nodes; without any, work goes to all nodes. `goes_again`: what is preempted is queued again."""

    guarantee: int = -1
    maximum: int = -1
    weight: int = 1
    platforms: dict[str, dict[str, str]] = field(default_factory=dict)
    goes_again: bool = True


class ReplayNodes(Struct, frozen=True, forbid_unknown_fields=True):
    count: int
    gpus: int = 0
    cpus: int = 128
    memory_gib: float = 1_024
    storage_gib: float = 4_096
    labels: dict[str, str] = field(default_factory=dict)


class Arrival(Struct, frozen=True, forbid_unknown_fields=True):
    """A gang of `tasks` equal tasks that run for so many seconds each; `count` of them, `every` so many seconds from `at` on."""

    pool: str
    seconds: float
    at: float = 0
    gpus: int = 0
    cpus: int = 1
    memory_gib: float = 1
    tasks: int = 1
    priority: Priority = Priority.NORMAL
    platform: str = ""
    count: int = 1
    every: float = 0


class Mix(Struct, frozen=True, forbid_unknown_fields=True):
    """One sort of work of a generated day: `share` of the gangs are like this; they run for `minutes` on average."""

    share: float
    pool: str
    minutes: float
    gpus: int = 0
    cpus: int = 1
    memory_gib: float = 1
    tasks: int = 1
    priority: Priority = Priority.NORMAL
    platform: str = ""


class Generate(Struct, frozen=True, forbid_unknown_fields=True):
    """So many tasks, arriving over so many hours, most of them around the middle; the same `seed` makes the same day."""

    tasks: int
    mix: tuple[Mix, ...]
    hours: float = 24
    seed: int = 1


class Workload(Struct, frozen=True, forbid_unknown_fields=True):
    """`round_seconds`: decisions are made so often, where anything has changed. `leave_seconds`: stopped pods hold their place for so long."""

    pools: dict[str, ReplayPool]
    nodes: tuple[ReplayNodes, ...]
    arrivals: tuple[Arrival, ...] = ()
    generate: Generate | None = None
    round_seconds: float = 1
    leave_seconds: float = 30


def gangs(workload: Workload) -> list[Arrival]:
    """Every single gang, in the order of arrival."""
    written = [each for arrival in workload.arrivals for each in _repeated(arrival)]
    made = list(_generated(workload.generate)) if workload.generate is not None else []
    return sorted([*written, *made], key=lambda arrival: arrival.at)


def _repeated(arrival: Arrival) -> Iterator[Arrival]:
    return (_at(arrival, arrival.at + number * arrival.every) for number in range(arrival.count))


def _at(arrival: Arrival, at: float) -> Arrival:
    return Arrival(
        pool=arrival.pool,
        seconds=arrival.seconds,
        at=at,
        gpus=arrival.gpus,
        cpus=arrival.cpus,
        memory_gib=arrival.memory_gib,
        tasks=arrival.tasks,
        priority=arrival.priority,
        platform=arrival.platform,
    )


def _generated(wanted: Generate) -> Iterator[Arrival]:
    rng = random.Random(wanted.seed)
    shares = [mix.share for mix in wanted.mix]
    left = wanted.tasks
    while left > 0:
        (mix,) = rng.choices(wanted.mix, shares)
        tasks = min(mix.tasks, left)
        left -= tasks
        yield Arrival(
            pool=mix.pool,
            seconds=max(1.0, rng.expovariate(1 / (60 * mix.minutes))),
            at=_time_of_day(rng) * wanted.hours * HOUR,
            gpus=mix.gpus,
            cpus=mix.cpus,
            memory_gib=mix.memory_gib,
            tasks=tasks,
            priority=mix.priority,
            platform=mix.platform,
        )


def _time_of_day(rng: random.Random) -> float:
    """From 0 to 1; the middle is three times as likely as the ends."""
    while True:
        at = rng.random()
        if rng.random() < (2 - cos(2 * pi * at)) / 3:
            return at
