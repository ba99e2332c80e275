"""What a pod's directory says, as a fact. Pure."""

from datetime import UTC, datetime

from osmo_agent.process.loopback import loopback_of
from osmo_domain.cluster import ContainerState, PodFact, PodPhase
from osmo_runtime.pod import PodSpec
from osmo_runtime.shim.pod_dir import ContainerStatus, PodStatus

ENDED = frozenset({PodPhase.SUCCEEDED, PodPhase.FAILED, PodPhase.GONE})
LOST_REASON = "NodeLost"
LOST = "The processes of this pod vanished: they were killed from outside, or the machine was restarted."


def pod_fact(
    spec: PodSpec, status: PodStatus | None, *, alive: bool, started: bool, node: str, now: datetime
) -> PodFact:
    """`alive` must have been asked before `status` was read: then a status that is not final, of a pod without a shim, is a lost pod."""
    if status is not None and (alive or PodPhase(status.phase) in ENDED):
        return _fact(spec, node, PodPhase(status.phase), _time(status.at_ms), status)
    if alive or not started:
        return _fact(spec, node, PodPhase.PENDING, now)
    return _fact(spec, node, PodPhase.FAILED, now, reason=LOST_REASON, message=LOST)


def _fact(
    spec: PodSpec,
    node: str,
    phase: PodPhase,
    at: datetime,
    status: PodStatus | None = None,
    *,
    reason: str = "",
    message: str = "",
) -> PodFact:
    return PodFact(
        workflow_id=spec.workflow_id,
        workflow_uuid=spec.workflow_uuid,
        group=spec.group,
        task=spec.task,
        retry_id=spec.retry_id,
        pod_name=spec.pod_name,
        phase=phase,
        at=at,
        node=node,
        ip=loopback_of(spec.workflow_uuid, spec.task),
        reason=status.reason if status else reason,
        message=status.message if status else message,
        containers=tuple(map(_container, status.containers)) if status else (),
    )


def _container(status: ContainerStatus) -> ContainerState:
    if status.exit_code is None:
        return ContainerState(status.name, status.role)
    reason = "Completed" if status.exit_code == 0 else "Error"
    return ContainerState(status.name, status.role, status.exit_code, reason, status.message)


def _time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
