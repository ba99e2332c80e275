"""What a pod's JSON says, as a fact (spec 2.10). Pure."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from osmo_agent.gone import gone
from osmo_agent.kubernetes.names import (
    CTRL,
    FINALIZER,
    GROUP_NAME,
    PREFLIGHT,
    RETRY_ID,
    TASK_NAME,
    WORKFLOW_NAME,
    WORKFLOW_UUID,
    user_container,
)
from osmo_agent.kubernetes.pod_json import Condition, ContainerStatus, Pod
from osmo_domain.cluster import ContainerState, PodEvent, PodFact, PodPhase

ENDED: Final = frozenset({PodPhase.SUCCEEDED, PodPhase.FAILED})
_STARTING: Final = frozenset({"", "PodInitializing", "ContainerCreating"})
_PREEMPTED: Final = "PreemptionByScheduler"
_DISRUPTED: Final = "DisruptionTarget"
_DELETED: Final = "The pod was deleted by somebody else."
_NO_NODE: Final = "The pod was deleted by somebody else before it had a node."
_SILENT: Final = "The pod was deleted by somebody else, and its node has not said in time how it ended."


def pod_fact(pod: Pod, now: datetime) -> PodFact | None:
    """None for what is no pod of a task, and for a pod of whose phase the cluster is not sure."""
    names, labels = pod.metadata.annotations, pod.labels
    phase = phase_of(pod)
    if phase is None or TASK_NAME not in names or not labels.get(RETRY_ID, "").isdigit():
        return None
    reason, message = _reason(pod)
    if not message and phase is PodPhase.FAILED and deleted_by_others(pod):
        message = _DELETED
    return PodFact(
        workflow_id=names.get(WORKFLOW_NAME, ""),
        workflow_uuid=labels.get(WORKFLOW_UUID, ""),
        group=names.get(GROUP_NAME, ""),
        task=names[TASK_NAME],
        retry_id=int(labels[RETRY_ID]),
        pod_name=pod.metadata.name,
        phase=phase,
        at=now,
        node=pod.spec.node_name,
        ip=pod.status.pod_ip,
        reason=reason,
        message=message,
        containers=tuple(_containers(pod, phase)),
    )


def phase_of(pod: Pod) -> PodPhase | None:
    match pod.status.phase:
        case "Pending" | "":
            return PodPhase.INITIALIZING if pod.spec.node_name else PodPhase.PENDING
        case "Running":
            return PodPhase.RUNNING
        case "Succeeded":
            return PodPhase.SUCCEEDED
        case "Failed":
            return PodPhase.FAILED
        case _:
            return None


def deleted_by_others(pod: Pod) -> bool:
    """We take our finalizer off before we delete."""
    return pod.metadata.deletion_timestamp is not None and FINALIZER in pod.metadata.finalizers


def ended_at(pod: Pod, now: datetime) -> datetime:
    """When the last container ended; `now` where that is not known, or where the node's clock is ahead of ours."""
    every = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    ends = [ended.finished_at for each in every if (ended := each.state.terminated) and ended.finished_at]
    return min(now, max(ends)) if ends else now


def lost(fact: PodFact, now: datetime) -> PodFact:
    """For a pod that somebody else deleted and that does not end."""
    return gone(fact, now, _SILENT if fact.node else _NO_NODE)


def unschedulable(pod: Pod, fact: PodFact) -> PodEvent | None:
    """The cluster's own scheduler finds no room where ours did."""
    for condition in pod.status.conditions:
        if (condition.type, condition.status, condition.reason) == ("PodScheduled", "False", "Unschedulable"):
            return PodEvent(fact.workflow_id, fact.task, fact.retry_id, "FailedScheduling", condition.message, fact.at)
    return None


def _reason(pod: Pod) -> tuple[str, str]:
    """The cluster's word about the whole pod."""
    true = [condition for condition in pod.status.conditions if condition.status == "True"]
    for condition in true:
        if condition.reason == _PREEMPTED:
            return _PREEMPTED, condition.message
    if pod.status.reason:
        return pod.status.reason, pod.status.message
    disrupted: Condition | None = next((each for each in true if each.type == _DISRUPTED), None)
    if disrupted is not None:
        return _DISRUPTED, disrupted.message or disrupted.reason
    return "", pod.status.message


def _containers(pod: Pod, phase: PodPhase) -> Iterable[ContainerState]:
    """Those of which there is something to say: how they ended, or why they do not start. The task's own first."""
    own = user_container(pod.metadata.annotations[TASK_NAME])
    told = [
        *(_container(each, _role(each.name, own)) for each in pod.status.container_statuses),
        *(_container(each, _role(each.name, own, init=True)) for each in pod.status.init_container_statuses),
    ]
    states = [each for each in told if each is not None and (phase in ENDED or _is_news(each))]
    return sorted(states, key=lambda state: state.name != own)


def _is_news(state: ContainerState) -> bool:
    return bool(state.exit_code) or state.waiting


def _container(status: ContainerStatus, role: str) -> ContainerState | None:
    ended, waiting = status.state.terminated, status.state.waiting
    if ended is not None:
        code, message = ended.exit_code, ended.message
        if role == "ctrl":
            code, message = _last_words(code, message)
        return ContainerState(status.name, role, code, ended.reason, message)
    if waiting is not None and waiting.reason not in _STARTING:
        return ContainerState(status.name, role, None, waiting.reason, waiting.message, waiting=True)
    return None


def _role(name: str, own: str, *, init: bool = False) -> str:
    if name == PREFLIGHT:
        return "preflight"
    if init:
        return "init"
    return "ctrl" if name == CTRL and name != own else "user"


def _last_words(code: int, message: str) -> tuple[int, str]:
    """The control container leaves `{"code", "message"}`."""
    try:
        said = json.loads(message)
        return int(said["code"]), str(said.get("message", ""))
    except (ValueError, TypeError, KeyError):
        return code, message
