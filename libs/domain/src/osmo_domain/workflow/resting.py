"""A state that rests: its bytes, which take a tenth of what its objects take, and over which no garbage collection walks.

Most workflows of a full house run for hours and say nothing: whoever keeps many states keeps those as bytes. `Turns` tells which those are.
"""

import heapq
import zlib
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from osmo_domain.plan import Plan
from osmo_domain.workflow.state import Workflow

REST_AFTER = 1_000
"""A state rests when so many events happened to others since the last one happened to it, and as many again for each hundred of its tasks: coming
to rest and to life again costs some 10 us a task, so that it costs 1 us an event at most."""

PRESSED_BYTES = 4_096
"""What is larger is compressed: tasks of one workflow are much alike."""

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Workflow)
_PLAN = msgspec.msgpack.Decoder(Plan)


class Rest(Struct, frozen=True, gc=False):
    """`state` is what a snapshot holds of it: without its plan where the plan is a blob, which lies in `plan` then."""

    pressed_state: bytes
    pressed_plan: bytes

    @property
    def state(self) -> bytes:
        return _expand(self.pressed_state)

    @property
    def plan(self) -> bytes:
        return _expand(self.pressed_plan)


def put_to_rest(state: Workflow) -> Rest:
    return Rest(*map(_press, encode_state(state)))


def encode_state(state: Workflow) -> tuple[bytes, bytes]:
    """The state, and beside it its plan where that is a blob."""
    plan = state.plan
    if not state.plan_blob or plan is None:
        return _ENCODER.encode(state), b""
    state.plan = None
    try:
        return _ENCODER.encode(state), _ENCODER.encode(plan)
    finally:
        state.plan = plan


def wake(rest: Rest) -> Workflow:
    """The state that was put to rest: equal to it, and sharing nothing with it."""
    state = _DECODER.decode(rest.state)
    if rest.pressed_plan:
        state.plan = _PLAN.decode(rest.plan)
    return state


def _press(data: bytes) -> bytes:
    """A first byte tells what follows."""
    return b"z" + zlib.compress(data, 1) if len(data) > PRESSED_BYTES else b"p" + data if data else b""


def _expand(pressed: bytes) -> bytes:
    return zlib.decompress(memoryview(pressed)[1:]) if pressed[:1] == b"z" else pressed[1:]


class Turns:
    """Whose turn it is to rest, counted in events and not by a clock: the same events always lead to the same."""

    def __init__(self, rest_after: int = REST_AFTER) -> None:
        self._rest_after = rest_after
        self._now = 0
        self._rest_at: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        """One entry for each that is awake; it may be early, never late."""

    def __len__(self) -> int:
        return len(self._rest_at)

    def touch(self, workflow_id: str, *, events: int, tasks: int) -> None:
        """So many events happened to this workflow, which has so many tasks. Its beginning counts as an event of each of them: that is what it takes."""
        self._now += events
        awake = workflow_id in self._rest_at
        self._rest_at[workflow_id] = self._now + self._rest_after * (1 + tasks // 100)
        if not awake:
            heapq.heappush(self._heap, (self._rest_at[workflow_id], workflow_id))

    def forget(self, workflow_id: str) -> None:
        self._rest_at.pop(workflow_id, None)

    def clear(self) -> None:
        self._rest_at.clear()
        self._heap.clear()

    def take_idle(self) -> Iterator[str]:
        """Those whose turn it is; each is gone from here."""
        while self._heap and self._heap[0][0] <= self._now:
            _, workflow_id = heapq.heappop(self._heap)
            rest_at = self._rest_at.get(workflow_id)
            if rest_at is None:
                continue
            if rest_at > self._now:
                heapq.heappush(self._heap, (rest_at, workflow_id))
                continue
            del self._rest_at[workflow_id]
            yield workflow_id
