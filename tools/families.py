"""Messages of the wire, by the unions that the code decodes them with."""

from dataclasses import dataclass
from typing import Any, get_args

import msgspec

from osmo_api import ctrl
from osmo_domain.agent_requests import AgentQuestion, NodeRulesAnswer
from osmo_domain.apps import AppEvent
from osmo_domain.backend_access import AccessEvent
from osmo_domain.cluster import ClusterFact
from osmo_domain.command import Command
from osmo_domain.commit import Commit
from osmo_domain.config import ConfigEvent
from osmo_domain.credential_requests import CredentialAnswer
from osmo_domain.credentials import CredentialEvent
from osmo_domain.logs import LogBatch
from osmo_domain.plan import Plan
from osmo_domain.pool import Backend, Pool, WorkflowSettings
from osmo_domain.report import TaskReported
from osmo_domain.requests import (
    CtrlAnswer,
    DataAnswer,
    DataQuestion,
    ExplainPending,
    FrontDoorAnswer,
    FrontDoorRequest,
    PendingExplained,
    RestartCommand,
)
from osmo_domain.workflow.events import WorkflowEvent
from osmo_eventlog import window
from osmo_eventlog.enclosing import Enclosed
from osmo_submit.recording import Claim

JSON = "application/json"
MESSAGE_PACK = "application/msgpack"


@dataclass(frozen=True)
class Family:
    """Messages of one kind. `kept`: they stay in a log, so that old ones must be readable for ever; `committed`: they travel in a Commit."""

    name: str
    union: Any
    kept: bool
    committed: bool = False
    content_type: str = JSON

    @property
    def message(self) -> Any:
        return Commit[self.union] if self.committed else self.union  # type: ignore[name-defined]

    def members(self) -> list[type[msgspec.Struct]]:
        return list(get_args(self.union)) or [self.union]


FAMILIES = (
    Family("workflow-event", WorkflowEvent, kept=True, committed=True),
    Family("cluster-fact", ClusterFact, kept=True, committed=True),
    Family("report", TaskReported, kept=True, committed=True),
    Family("config-event", ConfigEvent, kept=True, committed=True),
    Family("credential-event", CredentialEvent, kept=True, committed=True),
    Family("app-event", AppEvent, kept=True, committed=True),
    Family("backend-access-event", AccessEvent, kept=True, committed=True),
    Family("command", Command, kept=True),
    Family("log-batch", LogBatch, kept=True),
    Family("submission-claim", Claim, kept=True),
    Family("plan", Plan, kept=True),
    Family("pool", Pool, kept=True),
    Family("backend", Backend, kept=True),
    Family("workflow-settings", WorkflowSettings, kept=True),
    Family("front-door-request", FrontDoorRequest, kept=False),
    Family("front-door-answer", FrontDoorAnswer, kept=False),
    Family("enclosed", Enclosed, kept=False),
    Family("data-question", DataQuestion, kept=False),
    Family("data-answer", DataAnswer, kept=False),
    Family("scheduler-question", ExplainPending, kept=False),
    Family("scheduler-answer", PendingExplained, kept=False),
    Family("agent-question", AgentQuestion, kept=False),
    Family("node-rules-answer", NodeRulesAnswer, kept=False),
    Family("credential-answer", CredentialAnswer, kept=False),
    Family("window-question", window.Question, kept=False, content_type=MESSAGE_PACK),
    Family("window-answer", window.Answer, kept=False, content_type=MESSAGE_PACK),
    Family("ctrl-question", RestartCommand, kept=False),
    Family("ctrl-answer", CtrlAnswer, kept=False),
    Family("ctrl-from", ctrl.FromCtrl, kept=False),
    Family("ctrl-to", ctrl.ToCtrl, kept=False),
)


def tag_of(kind: type[msgspec.Struct]) -> str:
    tag = kind.__struct_config__.tag
    return str(tag) if tag is not None else kind.__name__
