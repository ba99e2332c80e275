"""Names, labels and annotations of what the agent makes in a cluster: all decided by the command, so that making twice is making once."""

import hashlib
import re
from typing import Final

from osmo_domain.command import CreateGroup
from osmo_domain.ids import group_uuid, kubernetes_name, task_uuid
from osmo_domain.labels import is_label_value

FINALIZER: Final = "osmo.nvidia.com/cleanup"
"""Keeps a pod that somebody else deletes until its end was seen."""

CTRL: Final = "osmo-ctrl"
INIT: Final = "osmo-init"
PREFLIGHT: Final = "preflight-test"

BACKEND: Final = "osmo.backend"
GROUP_UUID: Final = "osmo.group_uuid"
TASK_UUID: Final = "osmo.task_uuid"
RETRY_ID: Final = "osmo.retry_id"
CONTENT: Final = "osmo.content"
"""What an object that belongs to no group holds."""

WORKFLOW_NAME: Final = "osmo.workflow_id"
WORKFLOW_UUID: Final = "osmo.workflow_uuid"
GROUP_NAME: Final = "osmo.group_name"
TASK_NAME: Final = "osmo.task_name"
GROUP_OBJECTS: Final = "osmo.group_objects"
"""Annotation of pods: what else was made for their group, as `apiVersion kind name`, separated by commas."""

_LONGEST: Final = 63


def short(text: str) -> str:
    """As the value of a label."""
    return text[:_LONGEST].rstrip("-_.")


def backend_label(backend: str) -> dict[str, str]:
    """What everything that this agent makes carries."""
    return {BACKEND: short(backend)}


def group_labels(backend: str, command: CreateGroup) -> dict[str, str]:
    labels = {
        **backend_label(backend),
        WORKFLOW_NAME: short(command.workflow_id),
        WORKFLOW_UUID: command.workflow_uuid,
        GROUP_NAME: short(command.group_name),
        GROUP_UUID: group_uuid(command.workflow_uuid, command.group_name),
        "osmo.pool": short(command.pool),
    }
    if user := user_label(command.user):
        labels["osmo.submitted_by"] = user
    return labels


def task_labels(backend: str, command: CreateGroup, task: str, platform: str, lead: bool) -> dict[str, str]:
    labels = {
        **group_labels(backend, command),
        TASK_NAME: short(task),
        TASK_UUID: task_uuid(command.workflow_uuid, task),
        RETRY_ID: str(command.retry_ids[task]),
        "osmo.platform": short(platform),
    }
    if command.pods is not None:
        labels["osmo.priority"] = command.pods.priority.value.lower()
    if lead:
        labels["osmo.lead_container"] = "true"
    return {key: value for key, value in labels.items() if value}


def user_label(user: str) -> str:
    """The user, or the part before the @ of an address; nothing where Kubernetes would not take it."""
    name = user.partition("@")[0]
    return name if len(name) > 1 and is_label_value(name) else ""


def full_names(command: CreateGroup, task: str) -> dict[str, str]:
    """Annotations: labels are cut, and facts need the whole."""
    return {WORKFLOW_NAME: command.workflow_id, GROUP_NAME: command.group_name, TASK_NAME: task}


def user_container(task: str) -> str:
    return kubernetes_name(task)


def service_name(workflow_uuid: str, group: str) -> str:
    return f"osmo-{group_uuid(workflow_uuid, group)}"


def pull_secret_name(workflow_uuid: str, group: str) -> str:
    return f"{group_uuid(workflow_uuid, group)}-user"


def attempt_name(pod_name: str, retry_id: int | str) -> str:
    """One attempt, among all of the namespace; and the name of its Secret."""
    return f"{pod_name}-{retry_id}"


def of_backend(what: str, backend: str) -> str:
    """An object of the agent's own. Backends may be named as no object may be."""
    readable = re.sub(r"[^a-z0-9-]", "-", backend.lower())[:40].strip("-")
    return f"osmo-{what}-{readable}-{hashlib.sha256(backend.encode()).hexdigest()[:8]}"
