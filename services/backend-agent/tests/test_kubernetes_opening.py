"""The way to a cluster and to a control container: what is said when there is none."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from osmo_agent.__main__ import open_runtime
from osmo_agent.kubernetes.ctrl_line import RouterLine
from osmo_agent.settings import AgentSettings
from osmo_domain.errors import Rejected, Transient
from osmo_domain.requests import CtrlAnswer, Done, Refused, RestartCommand
from osmo_eventlog.memory import MemoryServer
from osmo_eventlog.subjects import ctrl_questions
from osmo_service.clock import SystemClock

COMMAND = RestartCommand(2, 3, "proof")


async def test_a_kubeconfig_that_is_not_there_ends_the_agent_with_a_sentence(tmp_path: Path) -> None:
    path = str(tmp_path / "nowhere")
    settings = AgentSettings(runtime="kubernetes", kubeconfig=path)
    server = MemoryServer(SystemClock(), random.Random(1))
    with pytest.raises(SystemExit, match="there is no such file") as ended:
        async with open_runtime(settings, SystemClock(), random.Random(1), server.connect("agent").requests):
            raise AssertionError("no runtime can come of it")
    assert path in str(ended.value)


def test_agents_of_other_runtimes_do_not_load_the_clusters_client() -> None:
    program = "import osmo_agent.__main__, sys; sys.exit('kubernetes_asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


async def restarted(answer: Callable[[bytes], Awaitable[CtrlAnswer]]) -> None:
    server = MemoryServer(SystemClock(), random.Random(1))

    async def handler(data: bytes) -> bytes:
        return msgspec.json.encode(await answer(data))

    subject = ctrl_questions("wf-1", "a", 2)
    async with server.connect("router").requests.serve("ctrl", subject, handler):
        await RouterLine(server.connect("agent").requests).restart("wf-1", "a", COMMAND)


async def test_a_restart_is_asked_of_the_attempts_own_subject_with_its_token() -> None:
    asked: list[Any] = []

    async def answer(data: bytes) -> CtrlAnswer:
        asked.append(msgspec.json.decode(data, type=RestartCommand))
        return Done("a")

    await restarted(answer)
    assert asked == [COMMAND]


@pytest.mark.parametrize(("status", "error"), [(403, Rejected), (503, Transient)])
async def test_a_refused_restart_says_whether_it_may_yet_work(status: int, error: type[Exception]) -> None:
    async def answer(_: bytes) -> CtrlAnswer:
        await asyncio.sleep(0)
        return Refused("ctrl.unproven", "no", http_status=status)

    with pytest.raises(error, match="no"):
        await restarted(answer)
