"""Identities. Random material is always handed in; everything derivable is derived, so that a repeated decision names the same things."""

import hashlib
import random
import re
from typing import NewType

WorkflowId = NewType("WorkflowId", str)
"""`<name>-<number>`, the number counting per name from 1. What people type."""

WorkflowUuid = NewType("WorkflowUuid", str)
"""32 hex digits."""

NAME_PATTERN = re.compile(r"[a-zA-Z]([a-zA-Z0-9_-]*[a-zA-Z0-9])?")
"""Workflow, group and task names: a letter first, no `-` or `_` last. Match with `fullmatch`."""

CONFIG_NAME_PATTERN = re.compile(r"[a-zA-Z]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?")
"""Names of pools, platforms and other config objects: dots allowed. Match with `fullmatch`."""

WORKFLOW_ID_PATTERN = re.compile(r"([a-zA-Z](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?)-([0-9]+)")

UUID_PATTERN = re.compile(r"[0-9a-f]{32}")


def new_uuid(rng: random.Random) -> str:
    """32 hex digits from the random source that the caller was handed."""
    return f"{rng.getrandbits(128):032x}"


def derived_uuid(*parts: str) -> str:
    """32 hex digits decided by the parts alone: the same parts always give the same id."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def group_uuid(workflow_uuid: str, group: str) -> str:
    return derived_uuid(workflow_uuid, "group", group)


def task_uuid(workflow_uuid: str, task: str) -> str:
    return derived_uuid(workflow_uuid, "task", task)


def pod_name(workflow_uuid: str, task: str) -> str:
    """The same for every attempt of a task, as users of the reference know it."""
    return f"{workflow_uuid[:16]}-{task_uuid(workflow_uuid, task)[:16]}"


def workflow_id(name: str, number: int) -> WorkflowId:
    return WorkflowId(f"{name}-{number}")


def split_workflow_id(text: str) -> tuple[str, int] | None:
    """Name and number of a workflow id, or None where the text is not one."""
    found = WORKFLOW_ID_PATTERN.fullmatch(text)
    return (found[1], int(found[2])) if found else None


def kubernetes_name(name: str) -> str:
    """Lower case, `_` as `-`, at most 63 characters: the form in which names must be unique."""
    return name.lower().replace("_", "-")[:63].rstrip("-_")
