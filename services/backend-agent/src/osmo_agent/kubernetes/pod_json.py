"""What the agent reads of a pod's JSON, and nothing else of it."""

from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct, field


class Metadata(Struct, rename="camel"):
    name: str
    uid: str
    namespace: str = ""
    resource_version: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    deletion_timestamp: datetime | None = None
    deletion_grace_period_seconds: int | None = None


class Waiting(Struct):
    reason: str = ""
    message: str = ""


class Terminated(Struct, rename="camel"):
    exit_code: int
    reason: str = ""
    message: str = ""
    finished_at: datetime | None = None


class State(Struct):
    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(Struct):
    name: str
    state: State = field(default_factory=State)


class Condition(Struct):
    type: str
    status: str = ""
    reason: str = ""
    message: str = ""


class Status(Struct, rename="camel"):
    phase: str = ""
    reason: str = ""
    message: str = ""
    pod_ip: str = field(default="", name="podIP")
    conditions: tuple[Condition, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class Spec(Struct, rename="camel"):
    node_name: str = ""


class Pod(Struct):
    metadata: Metadata
    spec: Spec = field(default_factory=Spec)
    status: Status = field(default_factory=Status)

    @property
    def labels(self) -> dict[str, str]:
        return self.metadata.labels


POD: Final = msgspec.json.Decoder(Pod)
