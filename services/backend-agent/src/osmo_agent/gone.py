"""What is told of a pod whose end nobody saw, on every runtime."""

from datetime import datetime

from osmo_domain.cluster import PodFact, PodPhase


def gone(fact: PodFact, now: datetime, message: str = "") -> PodFact:
    """The pod is not there any more, or nobody will see it end."""
    return PodFact(
        workflow_id=fact.workflow_id,
        workflow_uuid=fact.workflow_uuid,
        group=fact.group,
        task=fact.task,
        retry_id=fact.retry_id,
        pod_name=fact.pod_name,
        phase=PodPhase.GONE,
        at=now,
        node=fact.node,
        ip=fact.ip,
        message=message,
    )
