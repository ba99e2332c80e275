"""Secrets of pods as real processes: where the command finds them, who else can, and what is left. On every level of isolation."""

import hashlib
from pathlib import Path

import pytest
from tests.process_cluster import bash, eventually, one_life, process_cluster, running_router

from osmo_agent.process.pod_specs import pod_specs
from osmo_agent.process.pod_store import PodStore, pod_key
from osmo_domain.cluster import PodPhase
from osmo_domain.command import CreateGroup
from osmo_domain.plan import FilePlan, GroupPlan, TaskPlan
from osmo_runtime.pod_secrets import PodSecrets, SecretFile

LEVELS = pytest.mark.parametrize("isolation", ["full", "mount", "none"])
TOKEN = "correct-horse-battery"
KEY = "first line of a key\nsecond /osmo/data/line of it\n"
SECRETS = PodSecrets({"TOKEN": TOKEN}, (SecretFile("/osmo-test-secrets/deep/key", KEY), SecretFile("/tmp/k", KEY)))


def everything_below(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


@LEVELS
async def test_variables_and_files_reach_the_command_and_stay_out_of_the_log(tmp_path: Path, isolation: str) -> None:
    script = (
        'echo "token $TOKEN"; test ${#TOKEN} = 21; cat /osmo-test-secrets/deep/key; stat -c %a /osmo-test-secrets/deep/key; '
        f'test "$(sha256sum < /tmp/k)" = "{hashlib.sha256(KEY.encode()).hexdigest()}  -"'
    )
    async with process_cluster(tmp_path, isolation=isolation) as cluster:
        await cluster.create(bash("set -e; " + script), secrets={"a": SECRETS})
        fact = await cluster.ended()
        assert cluster.stored().texts("STDOUT") == ["token [MASKED]", "[MASKED]", "[MASKED]", "600"]
        assert fact.phase is PodPhase.SUCCEEDED, cluster.stored().texts("STDERR")
        for secret in (TOKEN, *KEY.splitlines()):
            assert secret not in str(cluster.stored().texts())


@LEVELS
async def test_commands_find_values_in_the_places_of_their_variables(tmp_path: Path, isolation: str) -> None:
    task = TaskPlan(
        "a", "i", ("bash", "-c"), ('test "$0" = "$TOKEN" && test "$1" = "--x=$TOKEN" && echo "$2"', "$(TOKEN)", "--x=$(TOKEN)", "$$(TOKEN)")
    )  # fmt: skip
    async with process_cluster(tmp_path, isolation=isolation) as cluster:
        await cluster.create(task, secrets={"a": SECRETS})
        assert (await cluster.ended()).phase is PodPhase.SUCCEEDED
        assert cluster.stored().texts("STDOUT") == ["$(TOKEN)"]


async def test_a_restarted_command_has_them_again(tmp_path: Path) -> None:
    script = 'echo "${#TOKEN} $(wc -l < /tmp/k)"; test -e /osmo/run/again && exit 0; touch /osmo/run/again; sleep 60'
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(bash(script), secrets={"a": SECRETS})
        await cluster.says("21 2")
        await eventually(lambda: list(tmp_path.glob("pods/*/root/osmo/run/again")))
        await cluster.restart()
        assert (await cluster.ended()).phase is PodPhase.SUCCEEDED
        assert cluster.stored().texts("STDOUT") == ["21 2", "21 2"]


async def test_no_file_of_the_pod_holds_a_variable_once_it_runs_and_none_at_all_when_it_is_gone(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(bash("echo up; sleep 60"), secrets={"a": SECRETS})
        await cluster.says("up")
        assert TOKEN.encode() not in everything_below(tmp_path)
        assert not list(tmp_path.rglob("secrets.json"))
        await cluster.delete(force=True)
        await eventually(lambda: not [*(tmp_path / "pods").iterdir(), *(tmp_path / "trash").iterdir()])
        assert not [line for line in KEY.encode().splitlines() if line in everything_below(tmp_path)]


async def test_only_its_owner_can_read_the_file_that_waits_for_the_shim(tmp_path: Path) -> None:
    store = PodStore(tmp_path)
    task = bash("true")
    command = CreateGroup("wf-1", "u" * 32, "p", "ada", "g", {"a": 0}, {"a": "n"}, GroupPlan("g", (task,)))
    (spec,) = pod_specs(command, "http://nowhere", secrets={"a": SECRETS})
    pod = store.create(spec)
    assert pod is not None
    waiting = pod.path / "secrets.json"
    assert TOKEN.encode() in waiting.read_bytes()
    assert oct(waiting.stat().st_mode & 0o777) == "0o600"
    assert oct(pod.path.stat().st_mode & 0o777) == "0o700"
    assert TOKEN.encode() not in (pod.path / "pod.json").read_bytes()
    assert pod.key == pod_key("u" * 32, "a", 0)
    store.discard(pod)
    assert TOKEN.encode() not in everything_below(tmp_path)


async def test_an_agent_that_dies_before_the_shim_stands_leaves_them_for_the_next(tmp_path: Path) -> None:
    async with running_router() as router:
        command = CreateGroup(
            "wf-1", "u" * 32, "p", "ada", "g", {"a": 0}, {"a": "n"},
            GroupPlan("g", (bash('test ${#TOKEN} = 21 && echo "it is $TOKEN"'),)), tokens={"a": "token"},
        )  # fmt: skip
        PodStore(tmp_path).create(pod_specs(command, router.url, secrets={"a": SECRETS})[0])
        async with one_life(tmp_path, router) as cluster:
            assert (await cluster.ended()).phase is PodPhase.SUCCEEDED
            assert cluster.stored().texts("STDOUT") == ["it is [MASKED]"]


async def test_a_secret_file_takes_the_place_of_one_of_the_spec(tmp_path: Path) -> None:
    task = bash("cat /tmp/k", files=(FilePlan("/tmp/k", "not secret"),))
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(task, secrets={"a": SECRETS})
        await cluster.ended()
        assert cluster.stored().texts("STDOUT") == ["[MASKED]", "[MASKED]"]


async def test_a_secret_that_cannot_be_placed_ends_the_pod_without_showing_it(tmp_path: Path) -> None:
    secrets = PodSecrets(files=(SecretFile("/proc/no/such", KEY),))
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(bash("true"), secrets={"a": secrets})
        fact = await cluster.ended()
        assert (fact.phase, fact.reason) == (PodPhase.FAILED, "StartError")
        assert "cannot put the file /proc/no/such in its place" in fact.message
        assert "first line" not in str(fact) + str(cluster.stored().texts())
