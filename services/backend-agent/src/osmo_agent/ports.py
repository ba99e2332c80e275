"""What the agent needs of whatever runs pods: the `PodRuntime` port. Adapters: process, simulated, kubernetes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from osmo_domain.cluster import NodeFact, PodEvent, PodFact
from osmo_domain.command import CreateGroup, DeleteGroup, RestartTasks
from osmo_runtime.pod_secrets import PodSecrets


class GroupRefusedError(Exception):
    """The cluster will never take this group as it is; the text is the cluster's words. Anything else that fails is tried again."""


@dataclass(frozen=True, slots=True)
class RuntimeIdentity:
    """`cluster_uid` tells two clusters of one name apart; `kind` is `process`, `simulated` or `kubernetes`."""

    kind: str
    cluster_uid: str


class PodRuntime(Protocol):
    async def identity(self) -> RuntimeIdentity: ...

    async def apply_group(self, command: CreateGroup, secrets: Mapping[str, PodSecrets]) -> None:
        """Make the pods of the attempts in `retry_ids`, those that are not there yet; `command.group` is set. Idempotent.

        `secrets` is what tasks get of their credentials. It is stored nowhere but where the task itself can read it.
        """
        ...

    async def delete_group(self, command: DeleteGroup) -> None:
        """Stop and remove the pods of these attempts; unknown ones are fine. Idempotent. May return before they are gone.

        An attempt that was named here is over for good, in later lives of the agent too: an `apply_group` that was sent before and is carried
        out late (its delivery or its acknowledgement was lost) must not make its pod again.
        """
        ...

    async def restart_tasks(self, command: RestartTasks) -> None:
        """Kill the commands of these attempts and run them again in their pods, where there were fewer restarts than told. Idempotent."""
        ...

    def watch_pods(self) -> AsyncIterator[Sequence[PodFact | PodEvent]]:
        """First the present state of every pod of ours (found again after a restart, too), then changes as they happen, in order, in batches."""
        ...

    async def list_pods(self) -> Sequence[PodFact]:
        """Every pod of ours that exists now, ended ones included until they are deleted."""
        ...

    async def list_nodes(self) -> Sequence[NodeFact]: ...

    async def nodes_changed(self) -> None:
        """Returns when `list_nodes` may say something else than when this was called last. A runtime that cannot know never returns."""
        ...
