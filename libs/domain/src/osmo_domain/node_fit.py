"""What is promised on a node, as placement and everybody who explains it sees it."""

from msgspec import Struct

from osmo_domain.cluster import NodeFact
from osmo_domain.plan import Resources


class NodeLoad(Struct):
    """One node and what is promised on it to pods. Changed in place by whoever owns the cluster state.

    `leaving_*` is the part of `promised_*` whose work is over: it becomes free without anybody's doing, as soon as the pods are gone.
    """

    fact: NodeFact
    promised_cpu: int = 0
    promised_gpu: int = 0
    promised_memory_bytes: int = 0
    promised_storage_bytes: int = 0
    leaving_cpu: int = 0
    leaving_gpu: int = 0
    leaving_memory_bytes: int = 0
    leaving_storage_bytes: int = 0

    def promise(self, resources: Resources, sign: int = 1) -> None:
        """Promise a place, or (with sign -1) take the promise back."""
        self.promised_cpu += sign * resources.cpu
        self.promised_gpu += sign * resources.gpu
        self.promised_memory_bytes += sign * resources.memory_bytes
        self.promised_storage_bytes += sign * resources.storage_bytes

    def leave(self, resources: Resources, sign: int = 1) -> None:
        """The work in a promised place is over, its pod is not known to be; with sign -1 it is gone."""
        self.leaving_cpu += sign * resources.cpu
        self.leaving_gpu += sign * resources.gpu
        self.leaving_memory_bytes += sign * resources.memory_bytes
        self.leaving_storage_bytes += sign * resources.storage_bytes
