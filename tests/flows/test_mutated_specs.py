"""More than a thousand specs, each one change away from a valid one, sent to validation over HTTP: accepted, or refused with a code and a place."""

import asyncio
import json
import re

import pytest
from tests.flows.mutations import VALID, mutated, smaller, text_of
from tests.flows.person import Person

pytestmark = [pytest.mark.xdist_group("osmo-up"), pytest.mark.timeout(300)]

POOL = "/api/pool/simulated/workflow"
CODE = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
CLASSES = {"USER", "USAGE", "RESOURCE", "CREDENTIAL", "DATABASE", "SUBMISSION"}
WITHOUT_PLACE = {"workflow.not_found", "data.no_access"}
"""Refusals of what the spec names and not of what stands in it."""


async def validate(ada: Person, text: str) -> tuple[int, dict[str, object]]:
    async with ada.http.post(POOL, json={"file": text}, params={"validation_only": "true"}) as answer:
        return answer.status, json.loads(await answer.read())


def wrong(status: int, said: dict[str, object], text: str) -> str:
    """What is wrong with the answer; empty where nothing is."""
    if status == 200:
        return "" if said["logs"] == "Workflow validation succeeded." else "accepted in other words"
    if status != 400:
        return f"status {status}"
    if not CODE.fullmatch(str(said["code"])) or said["error_code"] not in CLASSES or not said["message"]:
        return "no code, class or message"
    if "Traceback" in str(said["message"]) or "Error(" in str(said["message"]):
        return "a Python error"
    line = said["line"]
    if said["code"] in WITHOUT_PLACE:
        return ""
    if not isinstance(line, int) or not 1 <= line <= text.count("\n") + 1:
        return "no place in the text"
    return "" if f"(line {line}" in str(said["message"]) else "the message does not say the place"


async def test_a_spec_with_one_change_is_accepted_or_refused_with_a_code_and_a_place(ada: Person) -> None:
    specs = list(mutated())
    assert len(specs) >= 1000
    limit = asyncio.Semaphore(8)
    refused = 0

    async def try_one(what: str, text: str) -> str:
        nonlocal refused
        async with limit:
            status, said = await validate(ada, text)
        refused += status == 400
        problem = wrong(status, said, text)
        return f"{what}: {problem}: {said}" if problem else ""

    problems = [problem for problem in await asyncio.gather(*(try_one(*one) for one in specs)) if problem]
    assert not problems, "\n".join(problems[:20])
    assert refused > 500


VALID_SPECS = {"the whole": text_of(VALID), **dict(smaller())}


@pytest.mark.parametrize("what", VALID_SPECS)
async def test_a_valid_spec_is_never_refused(ada: Person, what: str) -> None:
    status, said = await validate(ada, VALID_SPECS[what])
    assert (status, said.get("logs")) == (200, "Workflow validation succeeded."), said
