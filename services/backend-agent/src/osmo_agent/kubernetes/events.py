"""Kubernetes' events about our pods, as lines of `osmo workflow events`."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct, field

from osmo_domain.cluster import PodEvent, PodFact
from osmo_kube import Sighting

OF_PODS: Final = {"fieldSelector": "involvedObject.kind=Pod"}
_REMEMBERED: Final = 20_000
_LATE: Final = timedelta(minutes=5)
_TOLD_BY_THE_POD: Final = "FailedScheduling"
"""The pod's own condition says it, and the cluster leaves out events where there are many."""


class _Metadata(Struct, rename="camel"):
    uid: str
    resource_version: str = ""
    creation_timestamp: datetime | None = None


class _Involved(Struct):
    uid: str = ""


class _Event(Struct, rename="camel"):
    metadata: _Metadata
    involved_object: _Involved = field(default_factory=_Involved)
    reason: str | None = ""
    message: str | None = ""
    last_timestamp: datetime | None = None
    event_time: datetime | None = None


class EventSeen(NamedTuple):
    uid: str
    pod_uid: str
    reason: str
    message: str
    at: datetime | None


_EVENT: Final = msgspec.json.Decoder(_Event)


def read_event(raw: Raw) -> Sighting[EventSeen]:
    event = _EVENT.decode(raw)
    at = event.last_timestamp or event.event_time or event.metadata.creation_timestamp
    seen = EventSeen(event.metadata.uid, event.involved_object.uid, event.reason or "", event.message or "", at)
    return Sighting(event.metadata.uid, event.metadata.resource_version, seen)


class EventLines:
    """Says each thing once: a cluster counts up the same event for as long as its cause lasts.

    `pod_of` knows the pod by its uid. What is older than a few minutes when it is first seen was told by an earlier life of this agent.
    """

    def __init__(self, pod_of: Callable[[str], PodFact | None]) -> None:
        self._pod_of = pod_of
        self._told: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def line(self, event: EventSeen, now: datetime) -> PodEvent | None:
        pod = self._pod_of(event.pod_uid)
        said = (event.reason, event.message)
        if pod is None or event.reason == _TOLD_BY_THE_POD or self._told.get(event.uid) == said:
            return None
        self._told[event.uid] = said
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        at = min(now, event.at or now)
        if now - at > _LATE:
            return None
        return PodEvent(pod.workflow_id, pod.task, pod.retry_id, event.reason, event.message, at)
