"""Questions that services ask each other over request/reply, and their answers. The wire of `osmo.rpc.*`."""

from msgspec import Struct, field

from osmo_domain.credential_requests import CredentialAnswer, CredentialQuestion
from osmo_domain.pending import Reason
from osmo_domain.pool import Priority


class SubmitRequest(Struct, frozen=True, omit_defaults=True, tag="submit"):
    """`POST /api/pool/{pool}/workflow`. Exactly one of `file` and `source_workflow_id` is set."""

    pool: str
    user: str
    file: str | None = None
    source_workflow_id: str = ""
    set_variables: tuple[str, ...] = ()
    set_string_variables: tuple[str, ...] = ()
    uploaded_templated_spec: str | None = None
    env_vars: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    priority: Priority = Priority.NORMAL
    dry_run: bool = False
    validation_only: bool = False
    roles: tuple[str, ...] = ()
    idempotency_key: str = ""
    app_uuid: str = ""
    app_version: int = 0
    alive_workflows: int = 0
    """Of the user, as far as the asker knows; asked for only where the installation limits them."""
    alive_tasks: int = 0
    pool_alive_workflows: int = 0
    """Of the pool, likewise; at most what the pool allows."""


class RestartRequest(Struct, frozen=True, omit_defaults=True, tag="restart"):
    pool: str
    user: str
    workflow_id: str
    roles: tuple[str, ...] = ()


class CancelRequest(Struct, frozen=True, omit_defaults=True, tag="cancel"):
    user: str
    workflow_id: str
    message: str = ""
    force: bool = False


class TagRequest(Struct, frozen=True, omit_defaults=True, tag="tag"):
    user: str
    workflow_id: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


FrontDoorRequest = SubmitRequest | RestartRequest | CancelRequest | TagRequest


class Submitted(Struct, frozen=True, omit_defaults=True, tag="submitted"):
    """`name` is the workflow id (for a submission) or the bare name (dry run, validation). `seq` is the commit's position, 0 if none."""

    name: str
    spec: str | None = None
    logs: str | None = None
    warnings: tuple[str, ...] = ()
    subject: str = ""
    seq: int = 0


class Refused(Struct, frozen=True, omit_defaults=True, tag="refused"):
    """A Rejected on its way to the client."""

    code: str
    message: str
    error_code: str = "USER"
    http_status: int = 400
    line: int | None = None
    column: int | None = None
    path: str | None = None
    workflow_id: str | None = None


class Done(Struct, frozen=True, omit_defaults=True, tag="done"):
    name: str = ""
    subject: str = ""
    seq: int = 0


FrontDoorAnswer = Submitted | Refused | Done


class CheckData(Struct, frozen=True, omit_defaults=True, tag="check_data"):
    """May this user read (`READ`) or write (`WRITE`) at each of these URIs? Asked by submit of data."""

    user: str
    uris: tuple[tuple[str, str], ...] = ()


class DataChecked(Struct, frozen=True, omit_defaults=True, tag="data_checked"):
    """`problems` maps a URI to why it will not do; empty = all good. `codes` maps the same URIs to stable codes (`data.outside_roots`)."""

    problems: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)


DataQuestion = CheckData | CredentialQuestion
DataAnswer = DataChecked | CredentialAnswer | Done | Refused


class RestartCommand(Struct, frozen=True, omit_defaults=True, tag="restart_command"):
    """Have the control container of this attempt kill its command and run it again, until it did so `restarts` times. Asked by an agent
    of the log-router that holds the attempt's connection. Saying it twice changes nothing."""

    retry_id: int
    restarts: int
    token: str
    """The attempt's own (osmo_domain.task_token)."""

    def __repr__(self) -> str:
        return f"RestartCommand({self.retry_id}, {self.restarts})"


CtrlAnswer = Done | Refused


class ExplainPending(Struct, frozen=True, omit_defaults=True, tag="explain_pending"):
    """Why do the groups of this workflow wait? Asked of the scheduler that holds the workflow's shard.

    With `changes`, what would start them now is looked for, too: that costs the scheduler some decisions.
    """

    workflow_id: str
    changes: bool = False


class PendingExplained(Struct, frozen=True, omit_defaults=True, tag="pending_explained"):
    """Why each group waits that does, by name, in the order of the plan."""

    reasons: dict[str, Reason] = field(default_factory=dict)
