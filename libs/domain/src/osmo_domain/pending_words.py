"""A reason in one sentence or two: plain words with the numbers in them."""

from typing import Final, assert_never

from msgspec.structs import replace

from osmo_domain.pending import (
    Ahead,
    Change,
    ChangeKind,
    Constraint,
    Exclusion,
    FreeRoom,
    QuotaState,
    Reason,
    ReasonCode,
)

_GIB: Final = 1 << 30
_NAMED: Final = 3


def in_words(reason: Reason) -> Reason:
    """The same reason with its message; one that has a message keeps it."""
    return reason if reason.message else replace(reason, message=_message(reason))


def change_in_words(change: Change) -> str:
    match change.kind:
        case ChangeKind.FEWER_GPUS:
            return f"with {_count(int(change.value), 'GPU')} per task"
        case ChangeKind.FEWER_TASKS:
            return f"with {_count(int(change.value), 'task')} in the group"
        case ChangeKind.PLATFORM:
            return f"on platform {change.value}"
        case ChangeKind.PRIORITY:
            return f"with priority {change.value}"
        case ChangeKind.POOL:
            return f"in pool {change.value}" + (f", platform {change.platform}" if change.platform else "")
        case _:
            assert_never(change.kind)


def _message(reason: Reason) -> str:
    match reason.code:
        case ReasonCode.UPSTREAM:
            return _upstream(reason)
        case ReasonCode.POOL:
            return f"Pool {reason.pool} does not exist."
        case ReasonCode.MAINTENANCE:
            return f"Pool {reason.pool} is in maintenance: it starts nothing new for now, and what runs goes on."
        case ReasonCode.BACKEND_OFFLINE:
            return f"Backend {reason.backend} is offline: its agent has not been heard of. Nothing can start there until it is back."
        case ReasonCode.BACKOFF:
            return f"Goes again at {reason.until:%Y-%m-%dT%H:%M:%SZ}." if reason.until else "Goes again soon."
        case ReasonCode.QUOTA:
            return _quota(reason.quota) if reason.quota else f"The quota of pool {reason.pool} is used up."
        case ReasonCode.NODE_FIT:
            return _node_fit(reason)
        case ReasonCode.CAPACITY:
            return _capacity(reason)
        case ReasonCode.AHEAD:
            return _ahead(reason.ahead)
        case ReasonCode.PREEMPTING:
            return _preempting(reason)
        case _:
            assert_never(reason.code)


def _upstream(reason: Reason) -> str:
    named = [f"{each.group} ({each.status})" for each in reason.upstreams[:_NAMED]]
    more = len(reason.upstreams) - _NAMED
    return f"Waits for {', '.join(named)}{f' and {more} more' if more > 0 else ''} to complete."


def _quota(quota: QuotaState) -> str:
    held = [
        f"{each.workflow_id} {each.gpus}{f' ({each.user})' if each.user else ''}" for each in quota.holders[:_NAMED]
    ]
    more = len(quota.holders) - len(held) + quota.more_holders
    by = f", by {', '.join(held)}{f' and {more} more' if more else ''}" if held else ""
    return (
        f"Asks for {_count(quota.asked, 'GPU')}; {quota.used} of the {quota.limit} of pool {quota.pool} are used{by}."
    )


def _node_fit(reason: Reason) -> str:
    if not reason.exclusions:
        return f"No node is there for it in pool {reason.pool}; it starts when one comes."
    return f"No node of pool {reason.pool} could take it, not even an empty one: {_out(reason.exclusions)}."


def _capacity(reason: Reason) -> str:
    free = "; ".join(_free(each) for each in reason.free)
    parts = [f"Free now in pool {reason.pool}: {free}." if free else f"Pool {reason.pool} has no room for it now."]
    if reason.exclusions:
        parts.append(f"Of its nodes, {_out(reason.exclusions)}.")
    if reason.ahead and reason.ahead.position > 1:
        parts.append(f"It is number {reason.ahead.position} in line.")
    return " ".join(parts)


def _free(room: FreeRoom) -> str:
    where = f"platform {room.platform}: " if room.platform else ""
    return (
        f"{where}{_count(room.free_gpus, 'GPU')} on {_count(room.nodes, 'node')}, at most {room.most_gpus} on one, "
        f"room for {_count(room.gang, 'such task')}"
    )


def _ahead(ahead: Ahead | None) -> str:
    if ahead is None:
        return "Starting it now would delay the head of the queue."
    return (
        f"It would fit, but would delay {ahead.head_workflow_id} ({ahead.head_group}), which is at the head of the queue; "
        f"this is number {ahead.position} of {ahead.length}."
    )


def _preempting(reason: Reason) -> str:
    if not reason.victims:
        return "A place that is being left is kept for it: it starts when what runs there has ended."
    gone = [f"{each.workflow_id} ({_count(each.gpus, 'GPU')})" for each in reason.victims[:_NAMED]]
    more = len(reason.victims) - _NAMED
    return (
        f"Starts when {', '.join(gone)}{f' and {more} more' if more > 0 else ''} made room for it: being stopped now."
    )


def _out(exclusions: tuple[Exclusion, ...]) -> str:
    return ", ".join(f"{each.nodes} {_because(each)}" for each in exclusions)


def _because(each: Exclusion) -> str:
    match each.constraint:
        case Constraint.UNAVAILABLE:
            return "not available"
        case Constraint.PLATFORM:
            return "of other platforms"
        case Constraint.NODES_EXCLUDED:
            return "excluded by the request"
        case Constraint.GPU:
            return f"with too few GPUs ({each.asked} asked, {max(0, each.most)} at most)"
        case Constraint.CPU:
            return f"with too few CPUs ({each.asked} asked, {max(0, each.most)} at most)"
        case Constraint.MEMORY:
            return f"with too little memory ({_gib(each.asked)} asked, {_gib(each.most)} at most)"
        case Constraint.STORAGE:
            return f"with too little storage ({_gib(each.asked)} asked, {_gib(each.most)} at most)"
        case Constraint.TOPOLOGY:
            return "outside the topology asked for"
        case _:
            assert_never(each.constraint)


def _gib(amount: int) -> str:
    return f"{max(0, amount) / _GIB:.4g} GiB"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
