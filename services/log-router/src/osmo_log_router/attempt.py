"""Which try of which task a control container speaks for: what the path of its connection says."""

import re
from dataclasses import dataclass

from osmo_domain.ids import NAME_PATTERN, WORKFLOW_ID_PATTERN

_RETRY = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Attempt:
    workflow_id: str
    task: str
    retry_id: int

    def __str__(self) -> str:
        return f"{self.workflow_id}/{self.task}/{self.retry_id}"


def parse_attempt(workflow_id: str, task: str, retry_id: str) -> Attempt | None:
    """None where a part is no name: nothing else may become part of a subject."""
    if not (WORKFLOW_ID_PATTERN.fullmatch(workflow_id) and NAME_PATTERN.fullmatch(task) and _RETRY.fullmatch(retry_id)):
        return None
    return Attempt(workflow_id, task, int(retry_id))
