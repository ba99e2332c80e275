"""Rules about nodes: asked of the control plane, not too often, and known while nobody answers."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from osmo_agent.kubernetes.node_rules import GOOD_FOR_S, AskedRules
from osmo_domain.agent_requests import AskNodeRules, NodeRules
from osmo_eventlog.subjects import agent_questions


def test_rules_are_asked_again_now_and_then_and_kept_while_nobody_answers(run_world: Callable[..., Any]) -> None:
    asked: list[AskNodeRules] = []

    async def answer(data: bytes) -> bytes:
        asked.append(msgspec.json.decode(data, type=AskNodeRules))
        return msgspec.json.encode(NodeRules({"Asked": str(len(asked))}))

    async def main(world: Any) -> None:
        rules = AskedRules(world.server.connect("agent").requests, "sim")
        assert await rules.current() == {}
        async with world.server.connect("data").requests.serve("data", agent_questions("sim"), answer):
            for _ in range(20):
                assert await rules.current() == {"Asked": "1"}
            await asyncio.sleep(GOOD_FOR_S)
            assert await rules.current() == {"Asked": "2"}
        await asyncio.sleep(GOOD_FOR_S)
        assert await rules.current() == {"Asked": "2"}

    run_world(main)
    assert len(asked) == 2
