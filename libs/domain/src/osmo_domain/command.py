"""What the scheduler tells an agent: the COMMANDS stream. Carrying one out twice changes nothing."""

from msgspec import Struct, field

from osmo_domain.plan import GroupPlan
from osmo_domain.pod_making import PodMaking


class CreateGroup(Struct, frozen=True, omit_defaults=True, tag="group.create"):
    """Make the pods of one group (or, after a reschedule, of the tasks named in `retry_ids` only).

    `nodes` maps task to the node it was placed on. `epoch` is the scheduler's lease epoch: an agent refuses one older than it has seen.
    A group too large for one message has `group` None and `group_blob` set: the digest of the JSON of its GroupPlan.
    """

    workflow_id: str
    workflow_uuid: str
    pool: str
    user: str
    group_name: str
    retry_ids: dict[str, int]
    nodes: dict[str, str]
    group: GroupPlan | None = None
    group_blob: str = ""
    epoch: int = 0
    tokens: dict[str, str] = field(default_factory=dict)
    """Task to the token that its control container shows to log-router."""
    pods: PodMaking | None = None
    """Only for clusters that make pods of it (Kubernetes); `pods_blob` is the digest of its JSON where it is too large for the message."""
    pods_blob: str = ""


class DeleteGroup(Struct, frozen=True, omit_defaults=True, tag="group.delete"):
    """Remove the pods of these attempts. `force` gives them no time to end."""

    workflow_id: str
    workflow_uuid: str
    group_name: str
    retry_ids: dict[str, int]
    epoch: int = 0
    force: bool = False


class RestartTasks(Struct, frozen=True, omit_defaults=True, tag="tasks.restart"):
    """Kill the command of these attempts and run it again in the same pod.

    `restarts` counts, for each task, the restarts that this attempt is to have had: one who had that many already does nothing.
    """

    workflow_id: str
    workflow_uuid: str
    group_name: str
    retry_ids: dict[str, int]
    epoch: int = 0
    restarts: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """As in CreateGroup: who shows them to log-router may have the control container told."""


Command = CreateGroup | DeleteGroup | RestartTasks
