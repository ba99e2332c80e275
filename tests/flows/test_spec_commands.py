"""What a person does around specs, through the command line and a whole `osmo up`: apps, templates, earlier workflows, labels, tags, limits, errors."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.flows.gangs import logs
from tests.flows.person import Person, person, spec, task
from tests.flows.terminal import Terminal, logged_in
from tests.installation import Installation

pytestmark = pytest.mark.xdist_group("osmo-up")

WITHIN_S = 10.0
TEMPLATE = """# what it says
workflow:
  name: "{{ name }}"
  tasks:
  - name: say
    image: alpine:3.20
    command: [sh, -c]
    args: ["echo {{ word }} from $WHERE > {{output}}/said; cat {{output}}/said"]
    environment: {WHERE: here}

default-values:
  name: saying
  word: hello
"""
AGAIN = """workflow:
  name: again
  tasks:
  - name: repeat
    image: alpine:3.20
    command: [cat, "{{input:0}}/said", "{{input:say}}/said"]
    inputs: [{task: "EARLIER:say", regex: sa.*}]
"""


@pytest.fixture
async def terminal(up: Installation, tmp_path: Path) -> Terminal:
    return await logged_in(tmp_path, up.url, "ada")


async def test_an_app_from_its_creation_to_its_end(ada: Person, terminal: Terminal) -> None:
    terminal.write("app.yaml", TEMPLATE)
    await terminal.osmo("app", "create", "sayings", "-d", "Says things.", "-f", "app.yaml")
    terminal.write("app.yaml", TEMPLATE.replace("hello", "servus"))
    assert "Version: 2" in await terminal.osmo("app", "update", "sayings", "-f", "app.yaml")
    assert (await terminal.osmo("app", "show", "sayings")).splitlines()[-2:] == ["  name: saying", "  word: servus"]
    assert await terminal.osmo("app", "spec", "sayings:1") == TEMPLATE

    said = await terminal.osmo(
        "app", "submit", "sayings:1", "--set", "name=first", "--set-env", "WHERE=there", "-t", "json"
    )
    first = json.loads(said)["name"]
    assert (await ada.over(first)).status == "COMPLETED"
    assert "[say] hello from there" in await logs(ada, first)
    second = json.loads(await terminal.osmo("app", "submit", "sayings", "-t", "json"))["name"]
    assert (await ada.over(second)).status == "COMPLETED"

    await terminal.osmo("app", "rename", "sayings", "words", "-f")
    found = json.loads(await terminal.osmo("workflow", "list", "--app", "words", "-t", "json"))["workflows"]
    assert [(one["name"], one["app_name"], one["app_owner"], one["app_version"]) for one in found] == [
        (first, "words", "ada", 1),
        (second, "words", "ada", 2),
    ]
    assert "There are no workflows" not in await terminal.osmo("workflow", "list", "--app", "words:2")
    assert "words" in await terminal.osmo("app", "list")
    await terminal.osmo("app", "delete", "words", "--all", "-f")
    assert "words" not in await terminal.osmo("app", "list", "-a")


async def test_a_stored_spec_is_shown_as_it_was_written_and_as_it_was_rendered(ada: Person, terminal: Terminal) -> None:
    terminal.write("said.yaml", TEMPLATE)
    name = await terminal.submit("said.yaml", "--set-string", "word=007")
    await ada.over(name)
    assert await terminal.osmo("workflow", "spec", name, "--template") == TEMPLATE
    rendered = await terminal.osmo("workflow", "spec", name)
    assert "echo 007 from $WHERE" in rendered
    assert "{{ word }}" not in rendered


async def test_an_earlier_workflow_is_submitted_again_with_other_labels_and_variables(
    ada: Person, terminal: Terminal
) -> None:
    terminal.write("said.yaml", TEMPLATE)
    first = await terminal.submit("said.yaml", "--label", "team=red", "--label", "kind=test")
    await ada.over(first)
    again = await terminal.submit(first, "--label", "team=blue", "--set-env", "WHERE=elsewhere", "--priority", "LOW")
    workflow = await ada.over(again)
    assert (workflow.status, workflow.labels, workflow.priority) == (
        "COMPLETED",
        {"team": "blue", "kind": "test"},
        "LOW",
    )
    assert (workflow.parent_name, workflow.parent_job_id) == ("saying", int(first.rpartition("-")[2]))
    assert "[say] hello from elsewhere" in await logs(ada, again)
    found = json.loads(await terminal.osmo("workflow", "list", "--label", "team=(blue|green)", "-t", "json"))
    assert [one["name"] for one in found["workflows"]] == [again]


async def test_a_task_takes_the_output_of_an_earlier_workflow(ada: Person, terminal: Terminal) -> None:
    terminal.write("said.yaml", TEMPLATE)
    earlier = await terminal.submit("said.yaml")
    terminal.write("again.yaml", AGAIN.replace("EARLIER", earlier))
    await ada.over(earlier)
    name = await terminal.submit("again.yaml")
    assert (await ada.over(name)).status == "COMPLETED"
    assert (await logs(ada, name)).count("[repeat] hello from here") == 2
    for wrong, code in (("nothing-1:say", "workflow.not_found"), (f"{earlier}:listen", "spec.unknown_earlier_task")):
        text = AGAIN.replace("EARLIER:say", wrong)
        async with ada.http.post("/api/pool/default/workflow", json={"file": text}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, code)
    waiting = await ada.submit(spec("waits", task("a", SIM_SECONDS=100)))
    text = AGAIN.replace("EARLIER:say", f"{waiting}:a")
    async with ada.http.post("/api/pool/default/workflow", json={"file": text}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, "spec.unfinished_earlier_task")
    await ada.http.post(f"/api/workflow/{waiting}/cancel")


async def test_an_error_shows_the_line_of_the_template(terminal: Terminal) -> None:
    terminal.write("wrong.yaml", TEMPLATE.replace("    image: alpine:3.20", "    imag: alpine:3.20"))
    with pytest.raises(AssertionError) as failed:
        await terminal.osmo("workflow", "validate", "wrong.yaml")
    assert "The task has no key `imag`. Did you mean `image`? (line 6, column 5)" in str(failed.value)
    assert "  --> wrong.yaml:6:5\n  6 |     imag: alpine:3.20\n    |     ^\n" in str(failed.value)


@asynccontextmanager
async def configured(ada: Person, **settings: object) -> AsyncIterator[None]:
    """The WORKFLOW config with these values, and as it was again on leaving."""
    async with ada.http.get("/api/configs/workflow") as answer:
        before = await answer.json()
    await _put(ada, {**before, **settings})
    try:
        yield
    finally:
        await _put(ada, before)


async def _put(ada: Person, config: object) -> None:
    body = {"configs": config, "description": "a test"}
    async with ada.http.put("/api/configs/workflow", json=body, headers={"x-osmo-roles": "osmo-admin"}) as answer:
        assert answer.status == 200, await answer.text()


async def test_tags_are_those_of_the_installation_and_can_be_searched_for(ada: Person, terminal: Terminal) -> None:
    name = await ada.submit(spec("tagged", task("a")))
    async with configured(ada, workflow_info={"tags": ["good", "bad"]}):
        async with asyncio.timeout(WITHIN_S):
            while (await terminal.osmo("workflow", "tag")) != "Tags:\n- good\n- bad\n":
                await asyncio.sleep(0.05)
        async with asyncio.timeout(WITHIN_S):
            while True:
                async with ada.http.post(f"/api/workflow/{name}/tag", params={"add": "bad"}) as answer:
                    if answer.status == 200:
                        break
        said = await terminal.osmo("workflow", "tag", "-w", name, "-a", "good", "-r", "bad")
        assert said == f"Workflow {name} updated.\n"
        await ada.until(name, lambda workflow: list(workflow.tags) == ["good"])
        found = json.loads(await terminal.osmo("workflow", "list", "--tags", "good", "-t", "json"))["workflows"]
        assert [one["name"] for one in found] == [name]
        async with ada.http.post(f"/api/workflow/{name}/tag", params={"add": "odd"}) as answer:
            assert (answer.status, (await answer.json())["error_code"]) == (400, "USER")


async def validated(ada: Person, text: str) -> tuple[int, dict[str, object]]:
    async with ada.http.post(
        "/api/pool/simulated/workflow", json={"file": text}, params={"validation_only": "true"}
    ) as answer:
        return answer.status, await answer.json()


async def until_validated(ada: Person, text: str, status: int, **expected: object) -> None:
    """Until submit knows the config by which it is so."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            found, said = await validated(ada, text)
            if found == status and {key: said[key] for key in expected} == expected:
                return
            await asyncio.sleep(0.05)


def team(enforcement: str) -> dict[str, object]:
    policy = {"key": "team", "allow_list": ["red"], "enforcement": enforcement, "assert_message": "See the handbook."}
    return {"policy": [policy]}


async def test_policies_of_labels(ada: Person, terminal: Terminal) -> None:
    text = spec("unlabelled", task("a"))
    name = await ada.submit(text)
    complaint = "The label team is missing. See the handbook."
    async with configured(ada, labels_config=team("warn")):
        await until_validated(ada, text, 200, warnings=[complaint])
        await ada.until(name, lambda workflow: list(workflow.warnings) == [complaint])
    async with configured(ada, labels_config=team("enforce")):
        await until_validated(ada, text, 400, error_code="USAGE", code="labels.policy", message=complaint)
        path = terminal.write("labelled.yaml", text)
        said = await terminal.osmo("workflow", "validate", path, "-p", "simulated", "--label", "team=red")
        assert "succeeded" in said
    await until_validated(ada, text, 200, warnings=[])


async def test_what_one_user_may_have_alive_is_limited(up: Installation, ada: Person) -> None:
    async with person(up.url, "greedy") as greedy, configured(ada, user_workflow_limits={"max_num_workflows": 2}):
        async with asyncio.timeout(WITHIN_S):
            while True:
                await greedy.submit(spec("one", task("a", SIM_SECONDS=100)))
                text = spec("more", task("a", SIM_SECONDS=100))
                await greedy.submit(text)
                async with greedy.http.post("/api/pool/simulated/workflow", json={"file": text}) as answer:
                    status, said = answer.status, await answer.json()
                if status == 400:
                    break
        assert said["code"] == "submit.user_workflows"
        assert "greedy has" in said["message"]
        listed = await greedy.api.workflows({"users": "greedy", "all_pools": True, "limit": 1000})
        for one in listed.workflows:
            await greedy.http.post(f"/api/workflow/{one.name}/cancel")
            await greedy.over(one.name)
