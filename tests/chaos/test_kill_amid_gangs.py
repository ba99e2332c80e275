"""Gangs that meet at their barrier again and again, while what they need for it is killed: everybody comes to each start, and no start is repeated."""

import asyncio
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from tests.chaos.serial import diary, seeded
from tests.flows.person import person
from tests.installation import installation

GANGS, MEMBERS, FAILURES = 3, 4, 2
KILLED = ("log-router", "scheduler", "agent-default")
KILLS = 9
LATEST_S = 6.0


@pytest.mark.chaos
@pytest.mark.timeout(120)
async def test_gangs_meet_at_every_start_whatever_is_killed() -> None:
    rng = seeded()
    with diary() as path, installation() as up:
        async with person(up.url, "ada") as ada:
            name = await ada.submit(_spec(path.parent), pool="default")
            moments = sorted(rng.uniform(0, LATEST_S) for _ in range(KILLS))
            for moment, before in zip(moments, [0.0, *moments], strict=False):
                await asyncio.sleep(moment - before)
                if (part := rng.choice(KILLED)) in up.processes():
                    print(f"{moment:.2f} s: {part}")
                    up.kill_part(part)
            workflow = await ada.over(name)
            async with ada.http.get(f"/api/workflow/{name}/logs") as answer:
                said = (await answer.read()).decode()
    assert workflow.status == "COMPLETED", (workflow, said)
    starts = Counter(re.findall(r"\[(g\d+-t\d+)(?: retry-\d+)?\] start", said))
    assert len(starts) == GANGS * MEMBERS
    assert max(starts.values()) <= FAILURES + 1, said
    retried = [task.status for group in workflow.groups for task in group.tasks].count("RESCHEDULED")
    assert retried == GANGS * FAILURES


def _spec(marks: Path) -> str:
    return "workflow: " + json.dumps({"name": "gangs", "groups": [_gang(number, marks) for number in range(GANGS)]})


def _gang(number: int, marks: Path) -> dict[str, object]:
    tasks = [_member(f"g{number}-t{member}", member, marks) for member in range(MEMBERS)]
    return {"name": f"g{number}", "ignoreNonleadStatus": False, "tasks": tasks}


def _member(name: str, member: int, marks: Path) -> dict[str, object]:
    """The first members fail once each, in turn, and take the others with them into the next start. The start after those is the last."""
    gang = name.partition("-")[0]
    fail = f"sleep 0.5; mkdir {marks}/{gang}-failed-{member}; exit 3"
    script = (
        f"echo start; failed=$(ls -d {marks}/{gang}-failed-* 2>/dev/null | wc -l); "
        f"if [ $failed = {FAILURES} ]; then sleep 1.5; exit 0; fi; "
        f"if [ $failed = {member} ]; then {fail}; fi; sleep 1000"
    )
    return {
        "name": name,
        "image": "none",
        "lead": member == 0,
        "command": ["sh", "-c"],
        "args": [script],
        "exitActions": {"RESCHEDULE": 3},
    }
