"""The engine: rounds of take what arrived, decide, append, command, for as long as the lease is held.

One round decides on everything that arrived together, workflow by workflow, then gives places to whoever can have one now, and only then
appends: a group that is queued and placed in one round is one commit. States are ahead of the log until the appends have landed; where
one is refused (Stale), its workflow is loaded again and decided again.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

import msgspec

from osmo_domain.cluster import KUBERNETES
from osmo_domain.command import Command, CreateGroup, DeleteGroup
from osmo_domain.errors import Poison, Stale
from osmo_domain.placement import Decision, Placement, Preemption
from osmo_domain.pod_making import pod_making
from osmo_domain.workflow.commands import commands_for, outstanding_commands
from osmo_domain.workflow.events import WorkflowEvent
from osmo_domain.workflow.state import Workflow
from osmo_eventlog.ports import Seq
from osmo_scheduler.aggregates import Entry
from osmo_scheduler.effects import Effects
from osmo_scheduler.inbox import Arrived, Inbox
from osmo_scheduler.inventory import missing_pods, needless_pods
from osmo_scheduler.loading import Loader
from osmo_scheduler.news import News, decide, place
from osmo_scheduler.shard import Shard
from osmo_scheduler.sorting import Inventories, Sorter
from osmo_scheduler.together import together
from osmo_service.clock import Clock

log = logging.getLogger("osmo.scheduler.engine")

TRIES = 20
"""How often a decision may be overtaken by others before something must be wrong."""

PLACES_PER_ROUND = 2_000
"""What has been decided is to be stored and carried out before more is."""


class Engine:
    """`targets` are the positions of the fact streams at the start of the term: until they are reached, facts are decided on, but nobody is
    given a place, no clock runs out and no inventory is believed. `settled` is False while a round is under way."""

    def __init__(
        self, shard: Shard, inbox: Inbox, loader: Loader, effects: Effects, clock: Clock, targets: dict[str, Seq]
    ) -> None:
        self._shard = shard
        self._inbox = inbox
        self._loader = loader
        self._effects = effects
        self._clock = clock
        self._targets = targets
        self._sorter = Sorter(shard, loader)
        self._online: frozenset[str] = frozenset()
        self._may_place = True
        self.caught_up = False
        self.settled = True

    @property
    def commits(self) -> int:
        return self._effects.commits

    def pools_changed(self) -> None:
        self._may_place = True
        self._inbox.nudge()

    async def take_office(self) -> None:
        """Decide whatever the loaded states leave to decide. Call once, before the first round."""
        self.settled = False
        for entry in self._shard.aggregates:
            self._shard.index(entry)
        await self._decide_all({entry.state.workflow_id: News(fresh=True) for entry in self._shard.aggregates}, False)
        await self._look_around()
        self.settled = True

    async def next_round(self) -> None:
        """Wait for something to arrive or to be due, and deal with it."""
        arrived = await self._inbox.take(self._patience_s())
        self.settled = False
        await self._round(arrived)
        await self._look_around()
        self._shard.aggregates.rest()
        self.settled = True

    def _patience_s(self) -> float | None:
        due = self._shard.timers.next_at() if self.caught_up else None
        return None if due is None else max(0.0, (due - self._clock.now()).total_seconds())

    async def _round(self, arrived: Arrived) -> None:
        news, inventories = await self._sorter.sort(arrived)
        if self.caught_up:
            self._add_due(news)
            self._add_lost(news, inventories)
        await self._decide_all(news, self.caught_up)
        if self.caught_up:
            await self._remove_needless(inventories)

    async def _look_around(self) -> None:
        """The moment when everything that lay in the streams at the start has been taken in: repeat what may not have been said."""
        if self.caught_up or any(self._shard.positions.get(name, 0) < seq for name, seq in self._targets.items()):
            return
        self.caught_up = True
        await together(self._repeat(entry) for entry in list(self._shard.aggregates))
        await self._decide_all({}, True)
        log.info("caught up", extra={"workflows": len(self._shard.aggregates), "waiting": len(self._shard.line)})

    async def _repeat(self, entry: Entry) -> None:
        await self._command(entry, outstanding_commands(entry.state))

    def _add_due(self, news: dict[str, News]) -> None:
        for workflow_id, deadlines in self._shard.timers.take_due(self._clock.now()).items():
            news.setdefault(workflow_id, News(cause="timer")).due += deadlines
            self._may_place = True

    def _add_lost(self, news: dict[str, News], inventories: Inventories) -> None:
        for backend, seen in inventories.items():
            for workflow_id, task, retry_id in missing_pods(self._shard, backend, seen):
                why = "The pod is gone from its cluster, and nobody saw it end."
                news.setdefault(workflow_id, News(cause="inventory")).lost.append((task, retry_id, why))
        book = self._shard.book
        for backend, node in book.lost_nodes:
            for promise in book.on_node(backend, node):
                lost = (promise.task, promise.retry_id, f"Node {node} is gone.")
                news.setdefault(promise.workflow_id, News(cause="node")).lost.append(lost)
        book.lost_nodes.clear()

    async def _decide_all(self, news: dict[str, News], placing: bool) -> None:
        now = self._clock.now()
        drafts: dict[str, list[WorkflowEvent]] = {}
        for workflow_id, each in news.items():
            entry = self._shard.aggregates.get(workflow_id)
            if entry is not None:
                if each.foreign:
                    self._shard.index(entry)
                    drafts[workflow_id] = []
                self._draft(drafts, entry, decide(entry.state, each, now))
        if placing:
            self._place_all(news, drafts, now)
        await together(self._settle(workflow_id, events, news[workflow_id]) for workflow_id, events in drafts.items())

    def _draft(self, drafts: dict[str, list[WorkflowEvent]], entry: Entry, events: list[WorkflowEvent]) -> None:
        if events:
            self._shard.note(entry, events)
            drafts.setdefault(entry.state.workflow_id, []).extend(events)

    def _place_all(self, news: dict[str, News], drafts: dict[str, list[WorkflowEvent]], now: datetime) -> None:
        """One placement round, if anything has changed that could let somebody in."""
        shard = self._shard
        online = frozenset(shard.book.online(now))
        line, book = shard.line, shard.book
        if not (line.grew or line.shrank or book.changed or self._may_place or online != self._online):
            return
        line.grew = line.shrank = book.changed = self._may_place = False
        self._online = online
        if not len(line):
            return
        shard.board.set_pools(shard.catalogue.pools)
        decision = shard.board.decide(now, online, most=PLACES_PER_ROUND)
        self._take_up(decision, news, drafts, now)
        line.shrank = False
        if decision.more:
            self._may_place = True
            self._inbox.nudge()

    def _take_up(
        self, decision: Decision, news: dict[str, News], drafts: dict[str, list[WorkflowEvent]], now: datetime
    ) -> None:
        for preemption in decision.preemptions:
            news.setdefault(preemption.workflow_id, News(cause="preemption")).preemptions.append(preemption)
            self._draft_places(drafts, preemption.workflow_id, [], [preemption], now)
        for key, nodes in decision.claims.items():
            self._shard.board.owe(key, nodes)
        for placement in decision.placements:
            news.setdefault(placement.workflow_id, News(cause="placement")).placements.append(placement)
            self._draft_places(drafts, placement.workflow_id, [placement], [], now)

    def _draft_places(
        self,
        drafts: dict[str, list[WorkflowEvent]],
        workflow_id: str,
        placements: Sequence[Placement],
        preemptions: Sequence[Preemption],
        now: datetime,
    ) -> None:
        entry = self._shard.aggregates.get(workflow_id)
        if entry is not None:
            self._draft(drafts, entry, place(entry.state, placements, preemptions, now))

    async def _settle(self, workflow_id: str, events: list[WorkflowEvent], news: News) -> None:
        """Make the decision on one workflow true, then carry it out."""
        entry = self._shard.aggregates.get(workflow_id)
        assert entry is not None
        try:
            landed = await self._append(entry, events, news)
        except Poison as poison:
            log.error("a decision cannot be stored; its workflow is left alone", extra=_about(workflow_id, poison))
            self._shard.forget(entry)
            return
        await self._command(entry, commands_for(entry.state, [*news.foreign, *landed]))
        if entry.over:
            self._shard.forget(entry)

    async def _append(self, entry: Entry, events: list[WorkflowEvent], news: News) -> list[WorkflowEvent]:
        """The events that were stored in the end. What others stored meanwhile may command things, too."""
        landed: list[WorkflowEvent] = []
        for _ in range(TRIES):
            if not events:
                return landed
            try:
                await self._effects.append(entry, events, landed, cause=news.cause, inputs=dict(self._shard.positions))
                return landed
            except Stale:
                events = await self._decide_again(entry, news)
                await self._repeat(entry)
        raise Stale(f"{entry.state.workflow_id}: overtaken {TRIES} times")

    async def _decide_again(self, entry: Entry, news: News) -> list[WorkflowEvent]:
        await self._loader.reload(entry)
        news.fresh = True
        now = self._clock.now()
        events = decide(entry.state, news, now) + place(entry.state, news.placements, news.preemptions, now)
        self._shard.index(entry)
        return events

    async def _command(self, entry: Entry, commands: Sequence[Command]) -> None:
        if entry.state.plan is None:
            return
        backend = entry.state.plan.backend
        for command in commands:
            seq = await self._effects.publish(backend, self._with_pods(entry.state, backend, command))
            match command:
                case CreateGroup():
                    self._shard.book.created(entry.state.uuid, command.retry_ids, seq)
                case DeleteGroup():
                    self._shard.removals.ask(backend, command, seq, self._clock.now())
                case _:
                    pass

    def _with_pods(self, state: Workflow, backend: str, command: Command) -> Command:
        """With what the configuration says about pods, for clusters that make pods of it."""
        cluster = self._shard.book.clusters.by_backend.get(backend)
        if not isinstance(command, CreateGroup) or command.group is None or cluster is None or state.plan is None:
            return command
        if cluster.runtime != KUBERNETES:
            return command
        plan = state.plan
        pods = pod_making(self._shard.catalogue, plan.pool, command.group.tasks, plan.priority, plan.labels)
        return msgspec.structs.replace(command, pods=pods)

    async def _remove_needless(self, inventories: Inventories) -> None:
        now = self._clock.now()
        for backend, seen in inventories.items():
            commands = list(needless_pods(self._shard, backend, seen, now))
            await together(self._remove(backend, command, seen.at, now) for command in commands)

    async def _remove(self, backend: str, command: DeleteGroup, seen_at: datetime, now: datetime) -> None:
        seq = await self._effects.publish(backend, command, again=seen_at.isoformat())
        self._shard.removals.ask(backend, command, seq, now)


def _about(workflow_id: str, why: Exception) -> dict[str, str]:
    return {"workflow": workflow_id, "why": str(why)}
