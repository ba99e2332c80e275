"""How many tasks of a group a barrier still waits for: the fold of the workflow says it."""

from osmo_eventlog.hydrate import hydrate

from osmo_domain.workflow.events import WORKFLOW_CODEC
from osmo_domain.workflow.evolve import fold
from osmo_eventlog import subjects
from osmo_eventlog.ports import Blobs, EventLog


class UnfinishedTasks:
    def __init__(self, log: EventLog, blobs: Blobs) -> None:
        self._log = log
        self._blobs = blobs

    async def __call__(self, workflow_id: str, group: str) -> int:
        """Tasks whose latest attempt has not ended for good; 0 for a group that does not exist."""
        last = await self._log.last(subjects.WORKFLOWS, subjects.workflow_any_shard(workflow_id))
        if last is None:
            return 0
        records = await self._log.load(last.subject)
        commits = [await hydrate(WORKFLOW_CODEC.decode(record.data), self._blobs) for record in records]
        workflow = fold(commits)
        if workflow is None or group not in workflow.groups:
            return 0
        return workflow.groups[group].unfinished
