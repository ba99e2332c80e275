"""Every file in `examples/`: it validates, and it runs to its end here unless the table says what it needs that is not here."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.flows.person import Person
from tests.flows.terminal import Terminal, logged_in
from tests.installation import Installation

pytestmark = pytest.mark.xdist_group("osmo-up")

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Example:
    """`runs` False: it is only validated, because of what `why` says. `warns` is part of what validation warns of."""

    name: str
    runs: bool = True
    why: str = ""
    warns: str = ""
    pool: str = "default"
    flags: tuple[str, ...] = ()


QUICK = ("--set", "bucket=file://BUCKET", "steps=4", "pause=0.2", "every=0.5")
TABLE = (
    Example("hello"),
    Example("pipeline"),
    Example("fanout", flags=("--set", "workers=5", "--set-string", "greeting=Servus")),
    Example("credentials"),
    Example("faq/pause", runs=False, why="somebody who steps in: tests/flows/test_examples_run.py"),
    Example("faq/reschedule-when-killed"),
    Example("faq/reschedule-when-preempted", flags=("--priority", "LOW")),
    Example("faq/github-token-as-file", runs=False, why="the internet"),
    Example("faq/nim-key-as-variable", runs=False, why="the internet"),
    Example("faq/address-of-a-peer"),
    Example("faq/directory-as-input", runs=False, why="datasets", warns="does not store datasets"),
    Example("tutorial/template", runs=False, why="datasets", warns="does not store datasets", pool="simulated"),
    Example("tutorial/localpath"),
    Example("tutorial/checkpoint", warns="cannot reach s3://my-bucket", flags=QUICK),
    Example("tutorial/checkpoint-some-files", warns="cannot reach s3://my-bucket", flags=QUICK),
    Example("tutorial/osmo-in-a-task"),
    Example("tutorial/exit-actions", flags=("--set", "url=file:///etc/passwd")),
    Example("tutorial/nodes-excluded"),
    Example("concepts/ml-pipeline"),
    Example("concepts/train-task", runs=False, why="a GPU", warns="cannot reach s3://my-bucket", pool="simulated"),
    Example("concepts/fixed-paths"),
    Example("concepts/groups", warns="handed on within this workflow"),
)
CREDENTIALS = {
    "github": ("user=ada", "token=a-token-of-nobody"),
    "ssh": ("id_ed25519=a-key-of-nobody",),
    "github-pat": ("github-pat=a-token-of-nobody",),
    "ngc-api-key": ("key=a-key-of-nobody",),
    "wandb_cred": ("wandb_api_key=a-key-of-nobody",),
}


def test_the_table_names_every_example() -> None:
    """`workloads/` is for `osmo sim`, not for submitting: cli/tests/test_cli_sim.py runs it."""
    found = {path.relative_to(EXAMPLES).with_suffix("") for path in EXAMPLES.rglob("*.yaml")}
    assert {example.name for example in TABLE} == {str(path) for path in found if path.parts[0] != "workloads"}


@pytest.fixture(scope="module")
def terminal(up: Installation, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """Ada's, who has every credential that an example asks for."""

    async def prepare() -> Terminal:
        terminal = await logged_in(tmp_path_factory.mktemp("terminal"), up.url, "ada")
        known = await terminal.osmo("credential", "list")
        for name, payload in CREDENTIALS.items():
            if name not in known:
                await terminal.osmo("credential", "set", name, "--payload", *payload)
        return terminal

    return asyncio.run(prepare())


def path_of(example: Example) -> str:
    return str(EXAMPLES / f"{example.name}.yaml")


@pytest.mark.parametrize("example", TABLE, ids=lambda example: example.name)
async def test_an_example_validates(terminal: Terminal, example: Example) -> None:
    said = await terminal.osmo("workflow", "validate", path_of(example), "-p", example.pool)
    first, *warnings = said.splitlines()
    assert first == "Workflow validation succeeded."
    assert bool(warnings) == bool(example.warns), said
    assert example.warns in said


@pytest.mark.parametrize("example", [one for one in TABLE if one.runs], ids=lambda example: example.name)
async def test_an_example_runs_to_its_end(ada: Person, terminal: Terminal, tmp_path: Path, example: Example) -> None:
    flags = [flag.replace("BUCKET", str(tmp_path / "bucket")) for flag in example.flags]
    name = await terminal.submit(path_of(example), "-p", example.pool, *flags)
    workflow = await ada.over(name)
    assert workflow.status == "COMPLETED", await terminal.osmo("workflow", "logs", name)
    if "checkpoint" in example.name:
        saved = sorted(path.name for path in (tmp_path / "bucket").rglob("file_*"))
        assert saved == (
            ["file_2.bin", "file_4.bin"] if "some" in example.name else [f"file_{n}.txt" for n in range(1, 5)]
        )


@pytest.mark.parametrize("name", ["tutorial/template", "faq/directory-as-input"])
async def test_what_needs_dataset_storage_is_refused_when_it_is_submitted(
    ada: Person, terminal: Terminal, name: str
) -> None:
    text = (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8")
    async with ada.http.post("/api/pool/simulated/workflow", json={"file": text}) as answer:
        said = await answer.json()
    assert (answer.status, said["code"]) == (400, "plan.no_datasets")
    assert said["line"]
