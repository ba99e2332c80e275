"""Who waits here at the start barrier of a group, and letting them go.

Whether they may go is decided by `osmo_domain.workflow.barrier` from the workflow's commits and the reports of its tasks. Both are followed from the log
while somebody of the workflow waits at this router. So nothing of a barrier is lost with a router, and members may wait at different ones.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from osmo_api.ctrl import Action, Barrier, ToCtrl
from osmo_eventlog.ports import Blobs, EventLog
from osmo_log_router.attempt import Attempt
from osmo_log_router.barrier_watch import BarrierWatch
from osmo_service.clock import Clock

log = logging.getLogger("osmo.log_router.barriers")


@dataclass(frozen=True, slots=True)
class Waiting:
    """One control container at the barrier, and its connection."""

    attempt: Attempt
    barrier: Barrier
    send: Callable[[ToCtrl], Awaitable[None]]

    def arrived(self, watch: BarrierWatch) -> bool:
        """Its start is the latest one of its task, and is known to be waited for."""
        return watch.arrived(self.attempt.task) == (self.attempt.retry_id, self.barrier.restarts)

    async def release(self) -> None:
        await self.send(Action("barrier", restarts=self.barrier.restarts))


class Barriers:
    """All barriers at which somebody waits at this router: per workflow, who waits, and the task that follows the workflow for them."""

    def __init__(self, events: EventLog, blobs: Blobs, clock: Clock, rng: random.Random) -> None:
        self._events = events
        self._blobs = blobs
        self._clock = clock
        self._rng = rng
        self._waiting: dict[str, dict[str, Waiting]] = {}
        self._watches: dict[str, tuple[BarrierWatch, asyncio.Task[None]]] = {}

    def wait(self, waiting: Waiting, shard: int) -> None:
        """The attempt waits (or says so again) until its group may start. Returns at once."""
        workflow_id = waiting.attempt.workflow_id
        self._waiting.setdefault(workflow_id, {})[waiting.attempt.task] = waiting
        if workflow_id in self._watches:
            self._watches[workflow_id][0].look()
        else:
            self._watch(workflow_id, shard)

    def leave(self, attempt: Attempt, send: Callable[[ToCtrl], Awaitable[None]]) -> None:
        """The connection is over: it waits again when it comes back."""
        waiting = self._waiting.get(attempt.workflow_id, {}).get(attempt.task)
        if waiting is not None and waiting.send is send:
            self._forget(waiting)

    async def close(self) -> None:
        tasks = [task for _, task in self._watches.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _watch(self, workflow_id: str, shard: int) -> None:
        watch = BarrierWatch(
            workflow_id, shard, self._events, self._blobs, self._rng, lambda: self._decide(workflow_id)
        )
        task = asyncio.create_task(watch.run())
        self._watches[workflow_id] = (watch, task)
        task.add_done_callback(lambda ended: self._watch_ended(workflow_id, shard, ended))

    def _watch_ended(self, workflow_id: str, shard: int, ended: asyncio.Task[None]) -> None:
        """Watch on where somebody came just then. After an error, those who wait ask again by themselves."""
        del self._watches[workflow_id]
        if ended.cancelled():
            return
        if (error := ended.exception()) is not None:
            log.error("barriers of %s cannot be decided", workflow_id, exc_info=error)
        elif workflow_id in self._waiting:
            self._watch(workflow_id, shard)

    async def _decide(self, workflow_id: str) -> None:
        """Let go who may go by now."""
        watch, now = self._watches[workflow_id][0], self._clock.now()
        here = list(self._waiting.get(workflow_id, {}).values())
        groups = {(each.barrier.group, each.barrier.count) for each in here}
        free = {group for group in groups if watch.may_start(*group, now)}
        released = [each for each in here if (each.barrier.group, each.barrier.count) in free and each.arrived(watch)]
        for each in released:
            self._forget(each)
        await asyncio.gather(*(each.release() for each in released))

    def _forget(self, waiting: Waiting) -> None:
        """When nobody of the workflow waits any more it is not followed any more."""
        workflow_id = waiting.attempt.workflow_id
        members = self._waiting.get(workflow_id, {})
        if members.get(waiting.attempt.task) is waiting:
            del members[waiting.attempt.task]
        if not members:
            self._waiting.pop(workflow_id, None)
            if workflow_id in self._watches:
                self._watches[workflow_id][0].stop()
