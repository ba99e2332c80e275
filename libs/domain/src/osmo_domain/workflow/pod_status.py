"""What one look at a pod means for its task: a pure function of the fact (reference 2.10, 2.7).

Later rules override earlier ones: the phase, then containers that ended badly, then containers that wait with an error, then the word
of the cluster about the whole pod.
"""

from collections.abc import Iterable
from typing import Final

from osmo_domain.cluster import ContainerState, PodFact, PodPhase
from osmo_domain.workflow.exit_actions import OUT_OF_MEMORY, Ending
from osmo_domain.workflow.status import ExitCode, TaskStatus

_OFFSETS: Final = {
    "init": ExitCode.INIT_OFFSET,
    "preflight": ExitCode.PREFLIGHT_OFFSET,
    "ctrl": ExitCode.CTRL_OFFSET,
    "user": 0,
}

_PULL_CODES: Final = {
    "ImagePullBackOff": ExitCode.IMAGE_PULL_BACK_OFF,
    "ErrImagePull": ExitCode.IMAGE_PULL,
    "ErrImageNeverPull": ExitCode.IMAGE_PULL,
    "InvalidImageName": ExitCode.IMAGE_PULL,
}

_MAY_YET_START: Final = frozenset({"CreateContainerConfigError", "ContainerStatusUnknown"})
"""Waiting that often passes: the start timeout ends it when it does not."""

_ERROR_WORDS: Final = ("Failed", "BackOff", "Error")

_POD_REASONS: Final = {
    "Evicted": (TaskStatus.FAILED_EVICTED, ExitCode.EVICTED, "evicted"),
    "StartError": (TaskStatus.FAILED_START_ERROR, ExitCode.START_ERROR, "start_error"),
    "UnexpectedAdmissionError": (TaskStatus.FAILED_BACKEND_ERROR, ExitCode.BACKEND_ERROR, "backend_error"),
    "NodeLost": (TaskStatus.FAILED_BACKEND_ERROR, ExitCode.BACKEND_ERROR, "backend_error"),
    "DisruptionTarget": (TaskStatus.FAILED_BACKEND_ERROR, ExitCode.BACKEND_ERROR, "backend_error"),
}

_USUAL_MEANINGS: Final = {
    126: "a program could not be executed",
    127: "a program was not found",
    130: "it was interrupted (SIGINT)",
    134: "it aborted (SIGABRT)",
    137: "it was killed (SIGKILL), for example for using too much memory",
    139: "it crashed (SIGSEGV)",
    143: "it was told to end (SIGTERM)",
}

_PREEMPTED: Final = frozenset({"Preempted", "PreemptionByScheduler"})


def judge(fact: PodFact) -> Ending:
    """The status of the attempt that this pod is. SCHEDULING, INITIALIZING and RUNNING have no exit code yet."""
    if fact.reason in _PREEMPTED:
        return Ending(TaskStatus.FAILED_PREEMPTED, ExitCode.PREEMPTED, "preempted", fact.message)
    if fact.reason in _POD_REASONS:
        status, code, reason = _POD_REASONS[fact.reason]
        return Ending(status, code, reason, fact.message or fact.reason)
    return _waiting_badly(fact.containers) or _by_phase(fact)


def _by_phase(fact: PodFact) -> Ending:
    match fact.phase:
        case PodPhase.PENDING:
            return Ending(TaskStatus.SCHEDULING)
        case PodPhase.INITIALIZING:
            return Ending(TaskStatus.INITIALIZING)
        case PodPhase.RUNNING:
            return _cut_short(fact) or Ending(TaskStatus.RUNNING)
        case PodPhase.SUCCEEDED:
            return Ending(TaskStatus.COMPLETED, 0, "exit", fact.message)
        case PodPhase.FAILED:
            return _failed(fact)
        case PodPhase.GONE:
            message = fact.message or "The pod was removed from its cluster before its end was seen."
            return Ending(TaskStatus.FAILED_BACKEND_ERROR, ExitCode.BACKEND_ERROR, "backend_error", message)


def _cut_short(fact: PodFact) -> Ending | None:
    """A pod that still counts as running though its control container failed, or a container could not be started."""
    hopeless = any(
        (container.role == "ctrl" and container.exit_code) or container.reason == "StartError"
        for container in fact.containers
    )
    return _failed(fact) if hopeless else None


def _failed(fact: PodFact) -> Ending:
    ended = [container for container in fact.containers if container.exit_code]
    if any(container.reason == "OOMKilled" for container in ended):
        message = _told(fact, ended) or "A container used more memory than it may and was killed."
        return Ending(TaskStatus.FAILED_EVICTED, ExitCode.EVICTED, OUT_OF_MEMORY, message)
    code = max((adjusted_code(container) for container in ended), default=ExitCode.UNKNOWN)
    return Ending(TaskStatus.FAILED, code, "exit", _told(fact, ended) or _in_words(ended))


def adjusted_code(container: ContainerState) -> int:
    """The exit code as users see it: each kind of container has its own thousand, but for the user's own."""
    code, offset = container.exit_code or 0, _OFFSETS.get(container.role, 0)
    return code if container.role == "ctrl" and code > offset else code + offset


def _told(fact: PodFact, ended: Iterable[ContainerState]) -> str:
    words = [fact.message, *(container.message for container in ended)]
    return " ".join(dict.fromkeys(word for word in words if word))


def _in_words(ended: Iterable[ContainerState]) -> str:
    """What an exit code says when nobody else says anything."""
    worst = max(ended, key=adjusted_code, default=None)
    if worst is None:
        return "The pod failed, and none of its containers says why."
    who = "The command" if worst.role == "user" else f"Container {worst.name}"
    code = worst.exit_code or 0
    if worst.role == "user" and code in _USUAL_MEANINGS:
        return f"{who} ended with exit code {code}, which usually means: {_USUAL_MEANINGS[code]}."
    return f"{who} ended with exit code {code}."


def _waiting_badly(containers: Iterable[ContainerState]) -> Ending | None:
    for container in containers:
        if container.waiting and container.reason not in _MAY_YET_START:
            verdict = _waiting_for(container)
            if verdict is not None:
                return verdict
    return None


def _waiting_for(container: ContainerState) -> Ending | None:
    message = container.message or f"Container {container.name} is waiting: {container.reason}."
    if container.reason in _PULL_CODES:
        return Ending(TaskStatus.FAILED_IMAGE_PULL, _PULL_CODES[container.reason], "image_pull", message)
    if container.reason == "CrashLoopBackOff":
        return Ending(TaskStatus.FAILED, ExitCode.CRASH_LOOP, "crash_loop", message)
    if any(word in container.reason for word in _ERROR_WORDS):
        return Ending(TaskStatus.FAILED, ExitCode.WAITING_OTHER, "waiting", message)
    return None
