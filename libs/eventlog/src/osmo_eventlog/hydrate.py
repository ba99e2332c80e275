"""Plans that were too large for their commit, put back from the blobs, so that folds always see a whole `workflow.submitted`."""

import hashlib
from typing import Any

import msgspec

from osmo_domain.commit import Commit
from osmo_domain.errors import Poison
from osmo_domain.plan import Plan
from osmo_domain.workflow.events import WorkflowSubmitted
from osmo_eventlog.ports import Blobs

_PLAN = msgspec.json.Decoder(Plan)


async def hydrate(commit: Commit[Any], blobs: Blobs) -> Commit[Any]:
    """The commit with `plan` set in every submission of it; the same object where nothing was missing.

    Raises Poison where the blob is not there, is not what its digest says, or holds no plan; Transient where it cannot be read now.
    """
    if not any(_lacks_plan(event) for event in commit.events):
        return commit
    return msgspec.structs.replace(commit, events=[await _whole(event, blobs) for event in commit.events])


def _lacks_plan(event: Any) -> bool:
    return isinstance(event, WorkflowSubmitted) and event.plan is None and bool(event.plan_blob)


async def _whole(event: Any, blobs: Blobs) -> Any:
    return msgspec.structs.replace(event, plan=await load_plan(event.plan_blob, blobs)) if _lacks_plan(event) else event


async def load_plan(digest: str, blobs: Blobs) -> Plan:
    """The plan that was stored under this digest; Poison as in `hydrate`."""
    try:
        data = await blobs.get(digest)
    except KeyError as error:
        raise Poison(f"the plan {digest} is not among the blobs") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise Poison(f"the bytes under {digest} are not those that were put there")
    try:
        return _PLAN.decode(data)
    except msgspec.MsgspecError as error:
        raise Poison(f"the blob {digest} holds no plan: {error}") from error
