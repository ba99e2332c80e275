"""Specs with groups, and with tasks that are small shell scripts of this machine."""

import json
from collections.abc import Mapping

from tests.flows.person import Person

Body = Mapping[str, object]


def script(name: str, text: str, **keys: object) -> dict[str, object]:
    """A task that runs this text in a shell. `keys` are the spec's own."""
    return {"name": name, "image": "none", "command": ["sh", "-c"], "args": [text], **keys}


def simulated(name: str, **keys: object) -> dict[str, object]:
    """A task of the simulated pool. Names in capitals become its environment, the others are keys of the spec."""
    environment = {key: str(value) for key, value in keys.items() if key.isupper()}
    others = {key: value for key, value in keys.items() if not key.isupper()}
    return {"name": name, "image": "none", "command": ["run"], "environment": environment, **others}


def lead(task: Body) -> dict[str, object]:
    return {**task, "lead": True}


def group(name: str, *tasks: Body, **keys: object) -> dict[str, object]:
    return {"name": name, "tasks": tasks, **keys}


def groups(name: str, *bodies: Body, **keys: object) -> str:
    """JSON is YAML."""
    return "workflow: " + json.dumps({"name": name, "groups": bodies, **keys})


async def logs(person: Person, name: str, **params: str) -> str:
    async with person.http.get(f"/api/workflow/{name}/logs", params=params) as answer:
        assert answer.status == 200, answer.status
        return (await answer.read()).decode()
