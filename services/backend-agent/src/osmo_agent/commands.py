"""Carries out what the scheduler says: COMMANDS of this backend, in order per group, many groups at once.

Every command is idempotent. It is acknowledged when it is done, given back with a growing delay when it failed, and kept alive while it
takes long. What an earlier life of this agent left unacknowledged is carried out at once at start, without waiting for redelivery.
"""

import asyncio
import logging
import random
from collections import deque
from dataclasses import dataclass

import msgspec

from osmo_agent.carried_out import CarriedOut
from osmo_agent.credentials import GroupCredentials
from osmo_agent.facts import Facts
from osmo_agent.fence import Fence
from osmo_agent.ports import GroupRefusedError, PodRuntime
from osmo_domain.cluster import GroupRefused
from osmo_domain.command import Command, CreateGroup, DeleteGroup, RestartTasks
from osmo_domain.errors import Transient
from osmo_domain.plan import GroupPlan
from osmo_domain.pod_making import PodMaking
from osmo_eventlog import subjects
from osmo_eventlog.ports import Blobs, Delivery, EventLog, Recorded, WorkQueue
from osmo_eventlog.streams import ConsumerSpec, command_consumer
from osmo_service.backoff import Backoff, until_done
from osmo_service.clock import Clock

log = logging.getLogger("osmo.agent.commands")

_COMMAND: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_GROUP: msgspec.json.Decoder[GroupPlan] = msgspec.json.Decoder(GroupPlan)
_PODS: msgspec.json.Decoder[PodMaking] = msgspec.json.Decoder(PodMaking)

IDLE_S = 5.0
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 60.0

_Lane = tuple[str, str]
"""(workflow uuid, group): what must stay in order."""


@dataclass(frozen=True, slots=True)
class _Work:
    """One command to carry out. Without a delivery it is one that an earlier life left over."""

    position: int
    command: Command
    delivery: Delivery | None


class CommandLoop:
    def __init__(
        self,
        log: EventLog,
        blobs: Blobs,
        runtime: PodRuntime,
        credentials: GroupCredentials,
        facts: Facts,
        fence: Fence,
        clock: Clock,
        rng: random.Random,
        *,
        backend: str,
        at_once: int,
    ) -> None:
        self._log = log
        self._blobs = blobs
        self._runtime = runtime
        self._credentials = credentials
        self._facts = facts
        self._fence = fence
        self._carried_out = CarriedOut()
        self._clock = clock
        self._rng = rng
        self._at_once = at_once
        self._consumer: ConsumerSpec = command_consumer(backend)
        self._lanes: dict[_Lane, deque[_Work]] = {}
        self._in_hand: dict[int, Delivery] = {}
        self._failures: dict[int, int] = {}
        self._room = asyncio.Event()
        self._left_over: list[_Work] = []

    async def take_up(self) -> None:
        """Learn what earlier lives knew and left over. Call once, before `run`."""
        await until_done(self._fence.load, what="epoch", rng=self._rng)
        left = await until_done(lambda: self._log.load(self._subject), what="commands left over", rng=self._rng)
        self._left_over = [work for record in left if (work := self._read(record, None)) is not None]

    async def through(self) -> int:
        """The position of COMMANDS up to which everything for this backend is carried out. Asks the log: a delivery that was lost
        on its way is not carried out, and we would not know."""
        head = await self._log.last_seq(subjects.COMMANDS)
        waiting = [record.seq for record in await self._log.load(self._subject) if record.seq not in self._carried_out]
        return min(waiting) - 1 if waiting else head

    async def run(self) -> None:
        async with asyncio.TaskGroup() as lanes:
            for work in self._left_over:
                self._queue(work, lanes)
            lanes.create_task(self._keep_alive())
            await until_done(self._declare, what="command consumer", rng=self._rng)
            async with self._log.consume(self._consumer.stream, self._consumer.durable) as queue:
                await self._take_for_ever(queue, lanes)

    @property
    def _subject(self) -> str:
        return self._consumer.subjects[0]

    async def _declare(self) -> None:
        consumer = self._consumer
        await self._log.ensure_consumer(
            consumer.stream, consumer.durable, consumer.subjects, ack_wait_s=consumer.ack_wait_s
        )

    async def _take_for_ever(self, queue: WorkQueue, lanes: asyncio.TaskGroup) -> None:
        backoff = Backoff(self._rng)
        while True:
            await self._until_room()
            try:
                deliveries = await queue.fetch(self._at_once - len(self._in_hand), wait_s=IDLE_S)
            except Transient as error:
                log.warning("cannot fetch commands", extra={"why": str(error)})
                await backoff.pause()
                continue
            backoff.reset()
            for delivery in deliveries:
                await self._take(delivery, lanes)

    async def _until_room(self) -> None:
        while len(self._in_hand) >= self._at_once:
            self._room.clear()
            await self._room.wait()

    async def _take(self, delivery: Delivery, lanes: asyncio.TaskGroup) -> None:
        work = self._read(delivery.record, delivery)
        if work is None:
            await self._acknowledge(delivery)
            return
        self._in_hand[work.position] = delivery
        self._queue(work, lanes)

    def _read(self, record: Recorded, delivery: Delivery | None) -> _Work | None:
        try:
            command = _COMMAND.decode(record.data)
        except msgspec.DecodeError as error:
            log.error(
                "a command that this agent cannot read is passed over",
                extra={"position": record.seq, "why": str(error)},
            )
            return None
        self._fence.note(record.seq, command.epoch)
        return _Work(record.seq, command, delivery)

    def _queue(self, work: _Work, lanes: asyncio.TaskGroup) -> None:
        key = (work.command.workflow_uuid, work.command.group_name)
        lane = self._lanes.get(key)
        if lane is not None:
            lane.append(work)
            return
        self._lanes[key] = deque([work])
        lanes.create_task(self._drain(key))

    async def _drain(self, key: _Lane) -> None:
        lane = self._lanes[key]
        while lane:
            await self._settle(lane.popleft())
        del self._lanes[key]

    async def _settle(self, work: _Work) -> None:
        """Carry one command out and tell the log so; a failure concerns this command only."""
        try:
            if work.position not in self._carried_out:
                await self._carry_out(work)
                self._carried_out.add(work.position)
                self._failures.pop(work.position, None)
            if work.delivery is not None:
                await self._acknowledge(work.delivery)
        except Exception:  # the skeleton of a lane: whatever the cluster threw, this command comes again
            failures = self._failures[work.position] = self._failures.get(work.position, 0) + 1
            log.exception("a command failed; it comes again", extra={"position": work.position, "failures": failures})
            await self._give_back(work, failures)
        finally:
            self._in_hand.pop(work.position, None)
            self._room.set()

    async def _acknowledge(self, delivery: Delivery) -> None:
        try:
            await delivery.ack()
        except Transient as error:
            log.info("not acknowledged; it will come again and only be acknowledged", extra={"why": str(error)})

    async def _give_back(self, work: _Work, failures: int) -> None:
        if work.delivery is None:
            return
        try:
            await work.delivery.nak(min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** min(failures - 1, 20)))
        except Transient as error:
            log.info("not given back; it comes again after the ack wait", extra={"why": str(error)})

    async def _carry_out(self, work: _Work) -> None:
        command = work.command
        if not self._fence.admits(work.position, command.epoch):
            log.warning(
                "refused a command of an older epoch", extra={"position": work.position, "epoch": command.epoch}
            )
            return
        await self._fence.save()
        match command:
            case CreateGroup():
                await self._create(command)
            case DeleteGroup():
                await self._runtime.delete_group(command)
            case RestartTasks():
                await self._runtime.restart_tasks(command)

    async def _create(self, command: CreateGroup) -> None:
        try:
            group = command.group if command.group is not None else await self._fetch_group(command)
            pods = command.pods if not command.pods_blob else await self._fetch_pods(command)
            secrets = await self._credentials.secrets(command, group)
            await self._runtime.apply_group(msgspec.structs.replace(command, group=group, pods=pods), secrets)
        except GroupRefusedError as error:
            refused = GroupRefused(
                command.workflow_id,
                command.workflow_uuid,
                command.group_name,
                command.retry_ids,
                str(error),
                self._clock.now(),
            )
            await self._facts.send(self._facts.seal("refused", refused))

    async def _fetch_group(self, command: CreateGroup) -> GroupPlan:
        return _GROUP.decode(await self._fetch("the plan of the group", command.group_blob))

    async def _fetch_pods(self, command: CreateGroup) -> PodMaking:
        return _PODS.decode(await self._fetch("what the configuration says about the group's pods", command.pods_blob))

    async def _fetch(self, what: str, digest: str) -> bytes:
        try:
            return await self._blobs.get(digest)
        except KeyError as error:
            raise GroupRefusedError(f"{what} ({digest or 'no digest'}) is not stored") from error

    async def _keep_alive(self) -> None:
        """Put off redelivery of all that is in hand, at a third of the ack wait."""
        while True:
            await asyncio.sleep(self._consumer.ack_wait_s / 3)
            for delivery in list(self._in_hand.values()):
                try:
                    await delivery.working()
                except Transient as error:
                    log.info("cannot put off a redelivery", extra={"why": str(error)})
                    break
