"""The nodes of a simulated cluster, from `25x8`: 25 nodes of 8 GPUs each, generous in everything else."""

import re
from datetime import datetime

from osmo_domain.cluster import NodeFact

CPUS = 128
MEMORY_BYTES = 1024**4
STORAGE_BYTES = 10 * 1024**4

_FORM = re.compile(r"([1-9][0-9]{0,4})x([0-9]{1,3})")


def parse_nodes(text: str) -> dict[str, int]:
    """Node name to GPUs. ValueError names the form."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"simulated nodes are written COUNTxGPUS, e.g. 25x8; this is {text!r}")
    return {f"sim-{number:04}": int(found[2]) for number in range(1, int(found[1]) + 1)}


def node_fact(name: str, gpus: int, at: datetime) -> NodeFact:
    return NodeFact(
        name=name,
        at=at,
        cpu=CPUS,
        gpu=gpus,
        memory_bytes=MEMORY_BYTES,
        storage_bytes=STORAGE_BYTES,
        labels={"kubernetes.io/hostname": name, "osmo.simulated": "true"},
    )
