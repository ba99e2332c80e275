"""What a task's control container and log-router say to each other: JSON text frames over `/api/logger/workflow/{wf}/osmo_ctrl/{task}/retry_id/{n}`
with the WebSocket subprotocol `osmo.ctrl.v1`.

Lines and reports share one sequence of positions per attempt, from 0 without gaps. ctrl keeps each until `Acked` covers it, and after a
reconnect sends again from the position that `Welcome` names. Log-router acknowledges what is stored, nothing else.
"""

import msgspec
from msgspec import Struct

SUBPROTOCOL = "osmo.ctrl.v1"


class Hello(Struct, frozen=True, tag="hello"):
    """First frame from ctrl. `token` proves that this is the task's own control container.

    `restarts_by_router`: its agent cannot reach it, so this connection must carry `restart` (on Kubernetes).
    """

    token: str
    version: str
    restarts_by_router: bool = False


class Lines(Struct, frozen=True, tag="lines"):
    """Lines at positions `first` ... Each is (milliseconds since the epoch, source, text); see osmo_domain.logs for the sources.

    `dropped` counts lines lost to a full buffer just before `first`; `end` says that no more lines will come.
    """

    first: int
    lines: list[tuple[int, str, str]]
    dropped: int = 0
    end: bool = False


class Report(Struct, frozen=True, tag="report", omit_defaults=True):
    """A phase of the task (osmo_domain.report.TaskPhase). `number` counts reports of this attempt from 0; acknowledged by `ReportAcked`."""

    number: int
    phase: str
    at_ms: int
    exit_code: int | None = None
    message: str = ""
    bytes: int = 0
    files: int = 0
    restarts: int = 0


class Barrier(Struct, frozen=True, tag="barrier"):
    """Waiting at the start barrier; repeated until released. `count` <= 0 means all tasks of the group that have not ended.

    `restarts` tells the start that is waited for from earlier ones of the same attempt. That a task is there is said by its report AT_BARRIER.
    """

    name: str
    group: str
    count: int = -1
    restarts: int = 0


FromCtrl = Hello | Lines | Report | Barrier


class Welcome(Struct, frozen=True, tag="welcome"):
    """`next_line` is the first position that is not stored yet; `next_report` likewise for reports."""

    next_line: int
    next_report: int


class Acked(Struct, frozen=True, tag="acked"):
    """Every line before `next_line` is stored. `ended`: the end marker is stored too."""

    next_line: int
    ended: bool = False


class ReportAcked(Struct, frozen=True, tag="report_acked"):
    next_report: int


class Action(Struct, frozen=True, tag="action", omit_defaults=True):
    """Something to do: `barrier` (go), `restart` (kill the command and run it again), `exec`, `portforward`, `rsync` (later issues).

    `restarts` says which start is meant: with `barrier` the one that may begin, with `restart` the one that is to be.
    """

    action: str
    router_address: str = ""
    key: str = ""
    cookie: str = ""
    entry_command: str = ""
    task_port: int = 0
    restarts: int = 0


class Bye(Struct, frozen=True, tag="bye"):
    """The attempt is not known, or its token is wrong: do not come back."""

    reason: str


ToCtrl = Welcome | Acked | ReportAcked | Action | Bye

ENCODER = msgspec.json.Encoder()
FROM_CTRL: msgspec.json.Decoder[FromCtrl] = msgspec.json.Decoder(FromCtrl)
TO_CTRL: msgspec.json.Decoder[ToCtrl] = msgspec.json.Decoder(ToCtrl)
