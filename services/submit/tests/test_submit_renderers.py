"""Both renderers keep the port's promise; the worker processes also keep its limits, and survive what is done to them."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from osmo_domain.errors import Rejected, Transient
from osmo_domain.spec.sections import Sections, split_sections
from osmo_submit.adapters.in_process import InProcessRenderer
from osmo_submit.adapters.process_pool import ProcessPoolRenderer, open_renderer
from osmo_submit.ports import Renderer

MEMORY = 100 * 1024 * 1024


@asynccontextmanager
async def in_process() -> AsyncIterator[Renderer]:
    yield InProcessRenderer()


@asynccontextmanager
async def in_workers(workers: int = 2, seconds: float = 0.5) -> AsyncIterator[ProcessPoolRenderer]:
    async with open_renderer(workers, seconds, MEMORY) as renderer:
        yield renderer


def sections(template: str) -> Sections:
    return split_sections(f"default-values: {{n: 3}}\nworkflow:\n  text: {template}\n")


@pytest.mark.parametrize("opened", [in_process, in_workers])
class TestBoth:
    async def test_renders_with_defaults_and_options(self, opened: object) -> None:
        async with opened() as renderer:  # type: ignore[operator]
            text = await renderer.render(sections("{{ n }} {{ a }} {{ b }} {{output}}"), ["a=1.50"], ["b=1.50"])
        assert text == "workflow:\n  text: 3 1.5 1.50 {{output}}\n"

    async def test_traces_lines_to_the_file(self, opened: object) -> None:
        async with opened() as renderer:  # type: ignore[operator]
            lines = await renderer.trace(sections("x\n{% for i in range(n) %}\n  a{{ i }}: 1\n{% endfor %}"), [], [])
        assert lines == [2, 3, 4, 5, 4, 5, 4, 5, 6, 6]

    async def test_refuses_with_code_class_and_line(self, opened: object) -> None:
        async with opened() as renderer:  # type: ignore[operator]
            with pytest.raises(Rejected) as refusal:
                await renderer.render(sections("\n  {{ missing }}"), [], [])
        assert (refusal.value.code, refusal.value.error_code, refusal.value.line) == ("template.undefined", "USAGE", 4)


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 10**10 }}",
        "{{ ('a' * 10**6) | replace('a', 'b' * 1000) }}",
        "{{ 9**(9**9) }}",
        "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    ],
)
async def test_what_is_too_slow_or_too_large_is_stopped_and_the_next_one_works(template: str) -> None:
    async with in_workers(1) as renderer:
        started = time.perf_counter()
        with pytest.raises(Rejected) as refusal:
            await renderer.render(sections(template), [], [])
        assert refusal.value.code == "template.limits"
        assert refusal.value.error_code == "USAGE"
        assert time.perf_counter() - started < 10
        assert "3" in await renderer.render(sections("{{ n }}"), [], [])


def children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


async def test_workers_start_when_needed_and_end_with_the_renderer() -> None:
    before = children()
    async with in_workers(3) as renderer:
        assert children() == before
        await renderer.render(sections("{{ n }}"), [], [])
        assert len(children() - before) == 1
    assert children() == before


async def test_a_worker_that_was_killed_meanwhile_is_replaced_unnoticed() -> None:
    before = children()
    async with in_workers(1) as renderer:
        await renderer.render(sections("{{ n }}"), [], [])
        (worker,) = children() - before
        os.kill(worker, signal.SIGKILL)
        assert "3" in await renderer.render(sections("{{ n }}"), [], [])
        assert children() - before != {worker}


async def test_a_worker_that_is_stuck_without_working_is_killed() -> None:
    before = children()
    async with in_workers(1, seconds=0.05) as renderer:
        await renderer.render(sections("{{ n }}"), [], [])
        (worker,) = children() - before
        os.kill(worker, signal.SIGSTOP)
        with pytest.raises(Rejected, match="stopped"):
            await renderer.render(sections("{{ n }}"), [], [])
        assert worker not in children()
        assert "3" in await renderer.render(sections("{{ n }}"), [], [])


async def test_an_asker_that_goes_away_leaves_no_answer_for_the_next() -> None:
    slow = "{% for i in range(3000) %}{% for j in range(999) %}{% endfor %}{% endfor %}"
    async with in_workers(1) as renderer:
        await renderer.render(sections("{{ n }}"), [], [])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await renderer.render(sections(slow), [], [])
        assert await renderer.render(sections("{{ n }}"), [], []) == "workflow:\n  text: 3\n"


async def test_many_at_once_share_the_workers() -> None:
    async with in_workers(2) as renderer:
        texts = await asyncio.gather(*(renderer.render(sections("{{ a }}"), [f"a={n}"], []) for n in range(100)))
    assert texts == [f"workflow:\n  text: {n}\n" for n in range(100)]


async def test_a_worker_that_cannot_start_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    async with in_workers(1) as renderer:
        with pytest.raises(Transient):
            await renderer.render(sections("{{ n }}"), [], [])
