"""What the scheduler does to the world: commits appended, commands published. Nothing else of it leaves this process."""

import random
from collections.abc import Iterator, Sequence

import msgspec

from osmo_domain.command import Command, CreateGroup, RestartTasks
from osmo_domain.commit import Commit, encode_commit
from osmo_domain.ids import new_uuid
from osmo_domain.task_token import task_token
from osmo_domain.workflow.commands import command_id
from osmo_domain.workflow.events import WorkflowEvent
from osmo_eventlog import subjects
from osmo_eventlog.ports import Blobs, EventLog, Seq
from osmo_scheduler.aggregates import Entry
from osmo_service.backoff import until_done
from osmo_service.clock import Clock

COMMIT_BYTES = 60 * 1024
PLAN_BYTES = 48 * 1024
PODS_BYTES = 16 * 1024
TASKS_PER_COMMAND = 500

_ENCODER = msgspec.json.Encoder()


class Effects:
    """`epoch` is the lease's: agents refuse commands of an older one. `task_key` makes the tokens of tasks."""

    def __init__(
        self, log: EventLog, blobs: Blobs, clock: Clock, rng: random.Random, *, shard: int, epoch: int, task_key: bytes
    ) -> None:
        self._log = log
        self._blobs = blobs
        self._clock = clock
        self._rng = rng
        self._shard = shard
        self._epoch = epoch
        self._task_key = task_key
        self._term = new_uuid(rng)[:12]
        self._sealed = 0
        self.commits = 0

    async def append(
        self,
        entry: Entry,
        events: Sequence[WorkflowEvent],
        landed: list[WorkflowEvent],
        *,
        cause: str,
        inputs: dict[str, Seq],
    ) -> None:
        """Make the events true: one commit, or several where one would be too large. `landed` grows with what is stored.

        Waits as long as the log is away. Raises Stale where somebody else appended to this workflow since the entry was read.
        """
        for piece, message_id, data in self._seal(events, cause, inputs):
            entry.seq = await self._append_one(entry, message_id, data)
            entry.state.version += 1
            self.commits += 1
            landed += piece

    async def _append_one(self, entry: Entry, message_id: str, data: bytes) -> Seq:
        subject, expected = subjects.workflow(self._shard, entry.state.workflow_id), entry.seq
        return await until_done(
            lambda: self._log.append(subject, data, message_id=message_id, expected=expected),
            what=subject,
            rng=self._rng,
        )

    def _seal(
        self, events: Sequence[WorkflowEvent], cause: str, inputs: dict[str, Seq]
    ) -> Iterator[tuple[Sequence[WorkflowEvent], str, bytes]]:
        """Each commit of the decision as it goes over the wire. The id holds this term and a counter: no two commits share one."""
        self._sealed += 1
        message_id = f"{self._term}/{self._sealed}"
        commit = Commit[WorkflowEvent](message_id, self._clock.now(), "scheduler", list(events), cause, inputs)
        data = encode_commit(commit)
        if len(data) <= COMMIT_BYTES or len(events) == 1:
            yield events, message_id, data
            return
        middle = len(events) // 2
        yield from self._seal(events[:middle], cause, inputs)
        yield from self._seal(events[middle:], cause, inputs)

    async def publish(self, backend: str, command: Command, *, again: str = "") -> Seq:
        """Tell the agent, and return the position of the command (of its last part, where it is told in parts).

        Repeating it is harmless; `again` marks a repetition that is meant, which the log would drop otherwise.
        """
        seq = 0
        for part in _parts(await self._addressed(command)):
            seq = await self._publish_one(subjects.command(backend), part, command_id(part, again=again))
        return seq

    async def _publish_one(self, subject: str, command: Command, message_id: str) -> Seq:
        data = _ENCODER.encode(command)
        return await until_done(
            lambda: self._log.publish(subject, data, message_id=message_id), what=subject, rng=self._rng
        )

    async def _addressed(self, command: Command) -> Command:
        """The command with what only a scheduler in office can add."""
        command = msgspec.structs.replace(command, epoch=self._epoch)
        if isinstance(command, RestartTasks):
            return msgspec.structs.replace(command, tokens=self._tokens(command))
        if not isinstance(command, CreateGroup):
            return command
        command = msgspec.structs.replace(command, tokens=self._tokens(command))
        group, pods = _ENCODER.encode(command.group), _ENCODER.encode(command.pods)
        if len(group) > PLAN_BYTES:
            command = msgspec.structs.replace(command, group=None, group_blob=await self._kept(group, "group plan"))
        if len(pods) > PODS_BYTES:
            command = msgspec.structs.replace(command, pods=None, pods_blob=await self._kept(pods, "pod making"))
        return command

    def _tokens(self, command: CreateGroup | RestartTasks) -> dict[str, str]:
        return {
            task: task_token(self._task_key, command.workflow_id, task, retry_id)
            for task, retry_id in command.retry_ids.items()
        }

    async def _kept(self, data: bytes, what: str) -> str:
        return await until_done(lambda: self._blobs.put(data), what=what, rng=self._rng)


def _parts(command: Command) -> Iterator[Command]:
    """A gang too large for one message is told in several, each about some of its tasks."""
    names = list(command.retry_ids)
    if len(names) <= TASKS_PER_COMMAND:
        yield command
        return
    for start in range(0, len(names), TASKS_PER_COMMAND):
        yield _about(command, names[start : start + TASKS_PER_COMMAND])


def _about(command: Command, names: Sequence[str]) -> Command:
    command = msgspec.structs.replace(command, retry_ids={name: command.retry_ids[name] for name in names})
    if isinstance(command, CreateGroup | RestartTasks):
        command = msgspec.structs.replace(command, tokens={name: command.tokens[name] for name in names})
    if isinstance(command, CreateGroup):
        command = msgspec.structs.replace(command, nodes={name: command.nodes[name] for name in names})
    return command
