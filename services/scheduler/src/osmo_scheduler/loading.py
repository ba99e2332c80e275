"""Reading workflows from the log: what a follower brings, and whole histories."""

import logging
import random

import msgspec

from osmo_domain.cluster import InventorySeen
from osmo_domain.commit import Commit, UnknownEvent
from osmo_domain.errors import Poison
from osmo_domain.plan import Plan
from osmo_domain.workflow.events import WORKFLOW_CODEC, WorkflowEvent
from osmo_domain.workflow.evolve import apply_commit
from osmo_domain.workflow.state import Workflow
from osmo_eventlog import subjects
from osmo_eventlog.hydrate import hydrate, load_plan
from osmo_eventlog.ports import Blobs, EventLog, Recorded
from osmo_scheduler.aggregates import Entry
from osmo_service.backoff import until_done

log = logging.getLogger("osmo.scheduler.loading")

_PODS = msgspec.json.Decoder(tuple[tuple[str, str, int], ...])

WorkflowCommit = Commit[WorkflowEvent | UnknownEvent]


class Loader:
    """Waits as long as the log or the blobs are away."""

    def __init__(self, events: EventLog, blobs: Blobs, rng: random.Random, *, shard: int) -> None:
        self._events = events
        self._blobs = blobs
        self._rng = rng
        self._shard = shard

    async def read(self, record: Recorded) -> WorkflowCommit | None:
        """The commit with its plan in it; None for bytes that are no commit. A plan that is lost stays out: such a workflow cannot start."""
        try:
            commit = WORKFLOW_CODEC.decode(record.data)
        except msgspec.MsgspecError as error:
            log.error("a commit cannot be read", extra={"seq": record.seq, "why": str(error)})
            return None
        try:
            return await until_done(lambda: hydrate(commit, self._blobs), what="plan", rng=self._rng)
        except Poison as poison:
            log.error("a plan is lost", extra={"seq": record.seq, "why": str(poison)})
            return commit

    async def load(self, workflow_id: str) -> Entry | None:
        """The workflow as the log has it now; None where it has no first event."""
        subject = subjects.workflow(self._shard, workflow_id)
        records = await until_done(lambda: self._events.load(subject), what=subject, rng=self._rng)
        state: Workflow | None = None
        for record in records:
            commit = await self.read(record)
            if commit is not None:
                state = apply_commit(state, commit)
        return Entry(state, records[-1].seq, records[0].seq) if state is not None else None

    async def reload(self, entry: Entry) -> None:
        """Put the log's truth into the entry."""
        found = await self.load(entry.state.workflow_id)
        assert found is not None, "a workflow does not vanish from the log while it is alive"
        entry.state, entry.seq = found.state, found.seq

    async def plan(self, digest: str) -> Plan | None:
        try:
            return await until_done(lambda: load_plan(digest, self._blobs), what="plan", rng=self._rng)
        except Poison as poison:
            log.error("a plan is lost", extra={"digest": digest, "why": str(poison)})
            return None

    async def inventory(self, seen: InventorySeen) -> InventorySeen | None:
        """The inventory with its pods in it; None where they are lost, which the next one mends."""
        if not seen.pods_blob:
            return seen
        try:
            listed = await until_done(lambda: self._blobs.get(seen.pods_blob), what="inventory", rng=self._rng)
            return msgspec.structs.replace(seen, pods=_PODS.decode(listed))
        except (KeyError, msgspec.MsgspecError) as error:
            log.error("an inventory is lost", extra={"digest": seen.pods_blob, "why": str(error)})
            return None
