"""Pods that an agent was told to remove, until they are known to be gone."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from osmo_domain.command import DeleteGroup
from osmo_domain.placement import PodKey
from osmo_eventlog.ports import Seq

ASK_AGAIN_AFTER = timedelta(seconds=60)


@dataclass(slots=True)
class Removal:
    """`seq` is the position of the newest command that asks for it."""

    workflow_id: str
    group: str
    backend: str
    seq: Seq
    asked_at: datetime
    force: bool


class Removals:
    def __init__(self) -> None:
        self._asked: dict[PodKey, Removal] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def ask(self, backend: str, command: DeleteGroup, seq: Seq, now: datetime) -> None:
        for task, retry_id in command.retry_ids.items():
            self._asked[command.workflow_uuid, task, retry_id] = Removal(
                command.workflow_id, command.group_name, backend, seq, now, command.force
            )

    def get(self, pod: PodKey) -> Removal | None:
        return self._asked.get(pod)

    def gone(self, pod: PodKey) -> None:
        self._asked.pop(pod, None)

    def confirm(self, backend: str, existing: set[PodKey], through: Seq) -> None:
        """The agent had carried out every command up to `through` and has only these pods: the others are gone."""
        for pod, removal in list(self._asked.items()):
            if removal.backend == backend and removal.seq <= through and pod not in existing:
                del self._asked[pod]
