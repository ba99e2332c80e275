"""Reading and checking specs, without the services: from the text to the stored plan, with every rule that is checked on the way."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from ruamel.yaml.events import StreamEndEvent
from tests.bench.bench import Bench
from tests.bench.table import Row, duration, seconds

from osmo_domain.cluster import NodeFact
from osmo_domain.pool import Platform, Pool, Priority, WorkflowSettings
from osmo_domain.spec.admission import admit, check_guarantee
from osmo_domain.spec.document import read_document, read_labels, read_spec
from osmo_domain.spec.libyaml import make_parser
from osmo_domain.spec.planning import encode_draft, make_draft, put_ids
from osmo_domain.spec.redact import redact
from osmo_domain.spec.rules import (
    check_name_lengths,
    check_task_count,
    group_tasks,
    resolve_resources,
    upstream_groups,
)
from osmo_domain.spec.sections import split_sections
from osmo_domain.spec.topology_rules import check_topology_sets

SIZES = ((1, 0.010), (1_000, 1.0), (10_000, 10.0))
GIB = 1 << 30
POOL = Pool(name="p", backend="b", default_platform="d", platforms={"d": Platform()})
SETTINGS = WorkflowSettings(data_url="file:///data")
NODES = [
    NodeFact(f"n{number}", datetime(2026, 1, 1, tzinfo=UTC), cpu=64, gpu=8, memory_bytes=512 * GIB, storage_bytes=GIB * 1000)
    for number in range(1_000)
]  # fmt: skip

HEAD = """workflow:
  name: many
  labels: {team: robots}
  resources:
    default: {cpu: 4, memory: 16Gi, storage: 1Gi}
  tasks:
"""
TASK = """  - name: task-{n}
    image: nvcr.io/nvidia/pytorch:24.01-py3
    command: [bash, -c]
    args:
    - python train.py --fold={n} --output={{{{output}}}}
    environment:
      FOLD: "{n}"
      MODE: training
    files:
    - path: /tmp/config.json
      contents: |
        {{"fold": {n}, "epochs": 10}}
    exitActions:
      COMPLETE: 0
      RESCHEDULE: 1-255
    inputs: [{inputs}]
"""


def text_of(tasks: int) -> str:
    """Every tenth task takes the output of the one before it."""
    bodies = (TASK.format(n=n, inputs=f"{{task: task-{n - 1}}}" if n % 10 else "") for n in range(tasks))
    return HEAD + "".join(bodies)


def check(text: str) -> bytes:
    """What submit does with a text that has no Jinja in it, but for asking others and storing."""
    text = split_sections(text).workflow.text
    root = read_document(text)
    labels = read_labels(root)
    spec = read_spec(root)
    group_tasks(spec)
    upstreams = upstream_groups(spec)
    resources = resolve_resources(spec, POOL)
    check_task_count(spec, SETTINGS.max_num_tasks)
    check_name_lengths(spec, SETTINGS.max_name_length)
    check_guarantee(spec, resources, POOL, Priority.NORMAL)
    check_topology_sets(spec, resources)
    admit(spec, resources, POOL, NODES)
    redact(text)
    return put_ids(
        encode_draft(make_draft(spec, resources, upstreams, POOL, SETTINGS, labels=labels)), "many-1", "0" * 32
    )


async def specs(bench: Bench) -> list[Row]:
    """The best of a few, since other work goes on; beside what libyaml alone takes for the same text."""
    rows = []
    for tasks, bar in SIZES:
        text = text_of(tasks)
        ours = min(_timed(check, text) for _ in range(3 if bench.quick or tasks > 1_000 else 5))
        parsing = min(_timed(_only_parse, text) for _ in range(3))
        limit = f"libyaml's events alone {duration(parsing)}"
        rows.append(seconds(f"spec of {tasks:,} tasks, text to plan", ours, bar, limit=limit))
    return rows


def _timed(step: Callable[[str], object], text: str) -> float:
    began = time.perf_counter()
    step(text)
    return time.perf_counter() - began


def _only_parse(text: str) -> None:
    parser = make_parser(text)
    while not isinstance(parser.get_event(), StreamEndEvent):
        pass
