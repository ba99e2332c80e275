"""The render worker: a program that renders one template after the other until its input ends.

Its own limits do the killing: a timer of CPU time whose signal ends it, and an address space that cannot grow beyond what it needs plus
the allowance. `python -m osmo_submit.adapters.worker_program SECONDS BYTES`.
"""

import resource
import signal
import sys
from pathlib import Path
from typing import BinaryIO

from osmo_domain.errors import Rejected
from osmo_domain.spec.render import render_sections, trace_sections
from osmo_submit.adapters.worker_wire import (
    ENCODER,
    LENGTH_BYTES,
    READY,
    REQUESTS,
    RenderAnswer,
    Rendered,
    RenderRefused,
    RenderRequest,
    Traced,
    frame,
)


def main(seconds: float, memory_bytes: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    render_sections(_WARM_UP.sections)
    _limit_memory(memory_bytes)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    _send(answers, READY)
    while (body := _receive(requests)) is not None:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        answer = _answer(REQUESTS.decode(body))
        encoded = ENCODER.encode(answer)
        signal.setitimer(signal.ITIMER_PROF, 0)
        _send(answers, encoded)


def _answer(request: RenderRequest) -> RenderAnswer:
    arguments = request.sections, request.set_variables, request.set_string_variables
    try:
        if request.trace:
            return Traced(trace_sections(*arguments))
        return Rendered(render_sections(*arguments))
    except Rejected as error:
        return RenderRefused.of(error)


def _limit_memory(allowance: int) -> None:
    """Only where the kernel tells how large we are (Linux)."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        size = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + allowance, size + allowance))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _receive(stream: BinaryIO) -> bytes | None:
    length = stream.read(LENGTH_BYTES)
    if len(length) < LENGTH_BYTES:
        return None
    return stream.read(int.from_bytes(length, "big"))


def _send(stream: BinaryIO, body: bytes) -> None:
    stream.write(frame(body))
    stream.flush()


_WARM_UP = REQUESTS.decode(
    b'{"sections": {"workflow": {"text": "workflow: {% for i in range(1) %}{{ i }}{% endfor %}", "line": 1}}}'
)

if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
