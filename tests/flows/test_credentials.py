"""Credentials through a whole `osmo up`: set by the command line, given to tasks, masked in logs, and in no other place in the clear."""

import asyncio
import base64
import hashlib
import json
import os
import sysconfig
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from tests.flows.person import Person, ends, person
from tests.installation import Installation

ROOT = Path(__file__).parents[2]
OSMO = str(Path(sysconfig.get_path("scripts")) / "osmo")
USER = "ada@example.com"
TOKEN = "tok/correct-horse==battery+staple"
KEY_LINES = ("-begin of a private key-", "Zm9vYmFyYmF6cXV4Y29ycmVjdGhvcnNl", "-end of a private key-")
KEY = "\n".join(KEY_LINES) + "\n"
SECRETS = (TOKEN, "0r-battery-st4ple", *KEY_LINES)
HASH_OF_TOKEN, HASH_OF_KEY = (hashlib.sha256(text.encode()).hexdigest() for text in (TOKEN, KEY))

Osmo = Callable[..., Coroutine[Any, Any, tuple[int, str]]]


@pytest.fixture
async def osmo(up: Installation, tmp_path: Path) -> Osmo:
    """The command line of somebody with an address for a name: exit code, and what it said."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OSMO_")}
    environ["OSMO_CONFIG_FILE_DIR"] = str(tmp_path / "config")

    async def run(*arguments: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(OSMO, *arguments, cwd=ROOT, env=environ, stdout=-1, stderr=-2)
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    assert (await run("login", up.url, "--method", "dev", "--username", USER))[0] == 0
    return run


@pytest.fixture
async def both_set(osmo: Osmo, tmp_path: Path) -> None:
    """The credentials that examples/credentials.yaml uses."""
    (tmp_path / "key").write_text(KEY)
    for arguments in (
        ("github", "--payload", "user=ada", f"token={TOKEN}"),
        ("ssh", "--payload-file", f"id_ed25519={tmp_path}/key"),
    ):
        code, said = await osmo("credential", "set", *arguments)
        assert (code, said) == (0, f"Set GENERIC credential {arguments[0]}.\n")


@pytest.fixture
async def somebody(up: Installation) -> Any:
    async with person(up.url, USER) as one:
        yield one


@pytest.fixture
def seen_by_tasks() -> Iterator[Path]:
    """A folder of this machine; /tmp is each task's own."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)


async def logs(somebody: Person, name: str) -> str:
    async with somebody.http.get(f"/api/workflow/{name}/logs") as answer:
        return await answer.text()


def spec(name: str, script: str, credentials: object, **more: object) -> str:
    task = {
        "name": "t",
        "image": "i",
        "command": ["bash", "-euc"],
        "args": [script],
        "credentials": credentials,
        **more,
    }
    return "workflow: " + json.dumps({"name": name, "tasks": [task]})


@pytest.mark.usefixtures("both_set")
async def test_the_example_gets_its_values_and_shows_none_of_them(osmo: Osmo, somebody: Person) -> None:
    code, said = await osmo("workflow", "submit", "examples/credentials.yaml")
    assert code == 0, said
    name = next(word for word in said.split() if word.startswith("credentials-"))
    assert ends(await somebody.over(name)) == {"variable": ("COMPLETED", 0), "file": ("COMPLETED", 0)}
    text = await logs(somebody, name)
    assert "[variable] I am ada, and my token is [MASKED]\n" in text
    assert text.count("[file] [MASKED]\n") == 3
    assert "[file] mode 600\n" in text
    assert HASH_OF_TOKEN in text
    assert HASH_OF_KEY in text
    assert not [secret for secret in SECRETS if secret in text]
    for path in ("", "/spec", "/events"):
        async with somebody.http.get(f"/api/workflow/{name}{path}") as answer:
            shown = await answer.text()
            assert answer.status == 200
            assert not [secret for secret in SECRETS if secret in shown]


@pytest.mark.usefixtures("both_set")
async def test_a_value_stands_for_its_variable_in_arguments(somebody: Person) -> None:
    """`$(NAME)` as Kubernetes has it, also for credentials; the spec that is stored keeps the name."""
    task = {
        "name": "t",
        "image": "i",
        "command": ["bash", "-euc", 'printf %s "$0" | sha256sum; echo "$0 $1"', "$(TOKEN)", "$$(TOKEN)"],
        "credentials": {"github": {"TOKEN": "token"}},
    }
    name = await somebody.submit("workflow: " + json.dumps({"name": "expand", "tasks": [task]}), pool="default")
    assert ends(await somebody.over(name)) == {"t": ("COMPLETED", 0)}
    text = await logs(somebody, name)
    assert HASH_OF_TOKEN in text
    assert "[t] [MASKED] $(TOKEN)\n" in text


@pytest.mark.usefixtures("both_set")
async def test_a_value_is_masked_across_the_pieces_of_an_endless_line(somebody: Person) -> None:
    script = (
        'python3 -c \'import os; print(end="x" * 32750 + os.environ["TOKEN"] + "y" * 70000 + os.environ["TOKEN"])\' | cat -'
        '; sleep 0.2; printf "%s" "${TOKEN:0:9}"; sleep 0.3; printf "%s\\n" "${TOKEN:9}"'
    )
    name = await somebody.submit(spec("endless", script, {"github": {"TOKEN": "token"}}), pool="default")
    assert ends(await somebody.over(name)) == {"t": ("COMPLETED", 0)}
    lines = [line.partition("[t] ")[2] for line in (await logs(somebody, name)).splitlines() if "[t] " in line]
    assert "".join(lines) == "x" * 32750 + "[MASKED]" + "y" * 70000 + "[MASKED]" + "[MASKED]"


async def test_a_missing_credential_is_refused_at_its_line(osmo: Osmo, tmp_path: Path) -> None:
    file = tmp_path / "missing.yaml"
    file.write_text(spec("missing", "true", {"nowhere": "/a"}))
    code, said = await osmo("workflow", "submit", str(file))
    assert code == 1
    assert "Could not find the credential: nowhere." in said
    assert "missing.yaml:1:" in said


@pytest.mark.usefixtures("both_set")
async def test_a_credential_that_is_gone_when_its_task_is_due_fails_the_task(
    osmo: Osmo, somebody: Person, seen_by_tasks: Path
) -> None:
    await osmo("credential", "set", "brief", "--payload", "k=0r-battery-st4ple")
    flag = seen_by_tasks / "go"
    first = {"name": "a", "image": "i", "command": ["bash", "-c", f"until test -e {flag}; do sleep 0.02; done"]}
    second = {"name": "b", "image": "i", "command": ["true"], "inputs": [{"task": "a"}], "credentials": {"brief": "/s"}}
    text = "workflow: " + json.dumps({"name": "gone", "tasks": [first, second]})
    name = await somebody.submit(text, pool="default")
    assert (await osmo("credential", "delete", "brief"))[0] == 0
    flag.touch()
    found = await somebody.over(name)
    assert ends(found)["b"][0] == "FAILED_SERVER_ERROR"
    said = json.dumps(json.loads(await body(somebody, f"/api/workflow/{name}?verbose=true")))
    assert f"The credential brief of {USER} does not exist any more." in said


async def body(somebody: Person, path: str) -> str:
    async with somebody.http.get(path) as answer:
        return await answer.text()


@pytest.mark.usefixtures("both_set")
async def test_no_value_is_stored_anywhere_in_the_clear(up: Installation, osmo: Osmo, somebody: Person) -> None:
    """Every file of the installation (NATS' store, PostgreSQL's, logs, pods), and every row of every table, once the pods are gone."""
    script = 'echo "marker-that-is-no-secret $TOKEN"; echo "$TOKEN" | base64 > /tmp/x; cat /s/*; sleep 0.1; no-such-program "$TOKEN"'
    name = await somebody.submit(
        spec("search", script, {"github": {"TOKEN": "token"}, "ssh": "/s"}, environment={"A": "b"}), pool="default"
    )
    assert ends(await somebody.over(name)) == {"t": ("FAILED", 127)}
    await osmo("credential", "set", "github", "--payload", "k=0r-battery-st4ple")
    await osmo("credential", "delete", "ssh")
    pods = [up.data_dir / "backends/default" / folder for folder in ("pods", "trash")]
    async with asyncio.timeout(30):
        while any(list(folder.iterdir()) for folder in pods):
            await asyncio.sleep(0.02)
    stored = dict(files(up.directory))
    dumped = await dump(up.database_url)
    in_nats = b"".join(data for path, data in stored.items() if path.is_relative_to(up.data_dir / "nats"))
    assert b"marker-that-is-no-secret [MASKED]" in in_nats, "the search finds what is there"
    assert b"credential.set" in in_nats
    assert name.encode() in dumped
    for form in forms():
        assert form not in dumped
        assert [str(path) for path, data in stored.items() if form in data] == []


def forms() -> Iterator[bytes]:
    """Each secret as it is, in base64 at each of the three alignments, in hex, and as in URLs."""
    for secret in (text.encode() for text in SECRETS):
        yield secret
        yield secret.hex().encode()
        yield quote(secret, safe="").encode()
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + secret)
            yield encoded[4:-4]


def files(directory: Path) -> Iterator[tuple[Path, bytes]]:
    for path in directory.rglob("*"):
        if path.is_file() and not path.is_symlink():
            try:
                yield path, path.read_bytes()
            except FileNotFoundError:
                continue


async def dump(url: str) -> bytes:
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables")
        rows = [row for (table,) in tables for row in await connection.fetch(f"SELECT t::text FROM {table} t")]
    finally:
        await connection.close()
    return "\n".join(row[0] for row in rows).encode()
