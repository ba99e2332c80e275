"""Appends the first commit of a workflow: under the next number of its name, once, whatever is lost or repeated on the way."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from osmo_domain.commit import Commit, encode_commit
from osmo_domain.errors import Stale, Transient
from osmo_domain.ids import split_workflow_id, workflow_id
from osmo_domain.workflow.events import WORKFLOW_CODEC
from osmo_eventlog.ports import EventLog, Seq
from osmo_eventlog.subjects import NAMES, submission_claim, workflow, workflow_any_shard
from osmo_submit.numbers import Numbers
from osmo_submit.workflows import FirstEvent, first_event

_MOST_TRIES: Final = 48

MakeEvent = Callable[[str], Awaitable[FirstEvent]]
"""The first event for a workflow id. May be asked for several ids; the uuid is the same in all."""


@dataclass(frozen=True, slots=True)
class Recording:
    """`event` is what stands in the log: ours, or that of the same request when it came before."""

    workflow_id: str
    subject: str
    seq: Seq
    event: FirstEvent


class Claim(msgspec.Struct, frozen=True):
    """The workflow that a keyed request becomes, unless another request turns out to have that number."""

    workflow_id: str
    shard: int


class Recorder:
    def __init__(self, log: EventLog, numbers: Numbers) -> None:
        self._log = log
        self._numbers = numbers

    async def record(self, name: str, shard: int, make: MakeEvent, *, keyed_by: str = "") -> Recording:
        """Append the event under a fresh id of the name.

        `keyed_by` is the uuid of a request that may be repeated: it claims its id first, so that a repetition, here or in another replica,
        goes for the same id and finds what the first one left.
        """
        behind = 0
        for conflicts in range(_MOST_TRIES):
            claim = Claim(workflow_id(name, await self._numbers.next(name, conflicts=conflicts)), shard)
            if keyed_by:
                claim, behind = await self._claim(keyed_by, claim, behind)
            recording = await self.record_as(claim.workflow_id, claim.shard, make)
            if recording is not None:
                return recording
        raise Transient(f"no free number for the name {name} was found")

    async def record_as(self, chosen: str, shard: int, make: MakeEvent) -> Recording | None:
        """Append the event under this very id; None where another request has it."""
        event = await make(chosen)
        subject = workflow(shard, chosen)
        commit = Commit(id=f"{event.uuid}:{chosen}", at=event.at, actor=event.user, events=[event])
        try:
            seq = await self._log.append(
                subject, encode_commit(commit), message_id=commit.id, expected=0, across=workflow_any_shard(chosen)
            )
        except Stale:
            return await self._recorded(chosen, subject, event.uuid)
        self._note_used(chosen)
        return Recording(chosen, subject, seq, event)

    async def claimed(self, uuid: str) -> Recording | None:
        """What a keyed request has become, if it came before and was recorded."""
        record = await self._log.last(NAMES, submission_claim(uuid))
        if record is None:
            return None
        claim = msgspec.json.decode(record.data, type=Claim)
        return await self._recorded(claim.workflow_id, workflow(claim.shard, claim.workflow_id), uuid)

    async def _recorded(self, chosen: str, subject: str, uuid: str) -> Recording | None:
        """What stands under the id, if it is of this very request."""
        records = await self._log.load(subject)
        first = first_event([WORKFLOW_CODEC.decode(record.data) for record in records[:1]])
        if first is None or first.uuid != uuid:
            return None
        return Recording(chosen, subject, records[0].seq, first)

    async def _claim(self, uuid: str, wanted: Claim, behind: Seq) -> tuple[Claim, Seq]:
        """The claim that holds, and its position: the wanted one, or one that was put behind `behind` by somebody else."""
        subject = submission_claim(uuid)
        message_id = f"claim:{uuid}:{wanted.workflow_id}"
        try:
            seq = await self._log.append(subject, msgspec.json.encode(wanted), message_id=message_id, expected=behind)
        except Stale:
            record = await self._log.last(NAMES, subject)
            if record is None:
                raise Transient("a claim was there and is gone") from None
            return msgspec.json.decode(record.data, type=Claim), record.seq
        return wanted, seq

    def _note_used(self, chosen: str) -> None:
        split = split_workflow_id(chosen)
        if split is not None:
            self._numbers.used(*split)
