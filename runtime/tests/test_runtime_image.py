"""The built runtime in images of every kind: what init makes, and what a user's command sees and says."""

import asyncio
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from runtime.tests.conftest import SOMEBODY
from runtime.tests.pods.pod import Pod
from tests.fake_log_router import FakeLogRouter

from osmo_runtime.pod import PodOutput, PodSpec
from osmo_runtime.pod_secrets import PodSecrets, SecretFile

IMAGES = ("scratch", "musl", "host")
FOREIGN = {
    "LD_PRELOAD": "/lib/nothing.so",
    "LD_LIBRARY_PATH": "/lib/elsewhere",
    "GLIBC_TUNABLES": "glibc.malloc.check=0",
}

MakePod = Callable[..., Pod]
MakeSpec = Callable[..., PodSpec]


async def run(
    pod: Pod, spec: PodSpec, *words: str, secrets: PodSecrets | None = None, **more: object
) -> tuple[int, int]:
    """Run both containers to their ends; the exit codes of ctrl and of the user's container."""
    ctrl = pod.ctrl(spec, *([secrets] if secrets else ()))
    user = pod.start(*words, **more)  # type: ignore[arg-type]
    return await asyncio.to_thread(ctrl.ended), await asyncio.to_thread(user.ended)


@pytest.mark.parametrize("image", IMAGES)
async def test_a_command_runs_in_any_image(
    image: str, make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter
) -> None:
    """As another user, in a root file system that is read-only: its lines arrive, and its exit code is the container's."""
    codes = await run(
        make_pod(image), pod_spec(), "who", "say", "to out", "complain", "to err", "write", "/file", "exit", "3"
    )
    stored = router.of("w-1", "task")
    assert codes == (0, 3), stored.texts()
    assert stored.texts("STDOUT")[0] == f"uid {SOMEBODY}"
    assert stored.texts("STDOUT")[1:] == ["to out", "write refused"]
    assert stored.texts("STDERR") == ["to err"]
    assert stored.steps[-1] == "EXECUTED"


@pytest.mark.parametrize("image", IMAGES)
async def test_the_environment_is_the_images_and_the_specs(
    image: str, make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter
) -> None:
    """Nothing of ours is in it but the folder of the CLI at the end of PATH; what speaks to a dynamic loader is there as the image had it."""
    given = {"PATH": "/bin", "MINE": "ünïcode = \\o/", "EMPTY": ""}
    if image == "scratch":  # a program that no loader starts
        given |= FOREIGN
    codes = await run(make_pod(image), pod_spec(), "env", environment=given)
    seen = dict(line.removeprefix("env ").split("=", 1) for line in router.of("w-1", "task").texts("STDOUT"))
    assert codes == (0, 0)
    assert seen == given | {"PATH": "/bin:/osmo/usr/bin"}


async def test_a_foreign_libc_does_not_reach_into_our_python(
    make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter
) -> None:
    """An image whose LD_PRELOAD and LD_LIBRARY_PATH are for musl."""
    pod = make_pod("musl")
    loader = next(Path("/lib").glob("ld-musl-*.so.1")).name
    given = {"LD_PRELOAD": f"/lib/{loader}", "LD_LIBRARY_PATH": "/lib"}
    codes = await run(pod, pod_spec(), "env", environment=given)
    stored = router.of("w-1", "task")
    assert codes == (0, 0), stored.texts()
    assert f"env LD_PRELOAD=/lib/{loader}" in stored.texts("STDOUT")


@pytest.mark.parametrize(
    ("program", "words", "code"),
    [
        ("/probe", ["exit", "0"], 0),
        ("/probe", ["exit", "77"], 77),
        ("/probe", ["kill", "9"], 137),
        ("/probe", ["kill", "11"], 139),
        ("/nothing", [], 127),
        ("nothing", [], 127),
        ("/tmp", [], 126),
        ("/osmo/login/config/login.yaml", [], 126),
    ],
)
async def test_exit_codes_are_the_commands(
    program: str, words: list[str], code: int, make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter
) -> None:
    assert await run(make_pod(), pod_spec(), *words, program=program) == (0, code), router.of("w-1", "task").texts()


async def test_arguments_reach_the_command_as_they_are(
    make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter
) -> None:
    """Also those that look like flags, ours among them."""
    words = ["-commands", "--help", "-x=1", "", "two words"]
    await run(make_pod(), pod_spec(), *words)
    assert router.of("w-1", "task").texts("STDOUT") == [f"? {word}" for word in words]


async def test_orphans_are_collected(make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter) -> None:
    """The wrapper is the first process of its container: whoever loses its parent becomes its child."""
    await run(make_pod(), pod_spec(), "orphans", "zombies")
    assert router.of("w-1", "task").texts("STDOUT") == ["zombies 0"]


@pytest.mark.parametrize("image", IMAGES)
async def test_osmo_works_inside_the_task(
    image: str, make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter
) -> None:
    """Found on PATH, logged in, and able to say that nobody answers."""
    pod = make_pod(image)
    environment = {"PATH": "/bin", "OSMO_CONFIG_FILE_DIR": "/osmo/login/config"}
    codes = await run(pod, pod_spec(), "workflow", "list", program="osmo", environment=environment)
    texts = router.of("w-1", "task").texts()
    assert codes == (0, 10), texts
    assert any("127.0.0.1:9" in text for text in texts), texts


async def test_outputs_are_uploaded_and_secrets_stay_out_of_the_log(
    make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter, tmp_path: Path
) -> None:
    storage = tmp_path / "storage"
    storage.mkdir()
    secrets = PodSecrets(
        environment={"KEY": "value-of-the-key"},
        files=(SecretFile("/etc/x", "text of the file"),),
        storage={"s3://bucket": {"access_key_id": "id-of-a-key", "access_key": "the-storage-key"}},
    )
    pod = make_pod()
    ctrl = pod.ctrl(
        pod_spec(outputs=(PodOutput("file:///storage/out"),)), secrets, mounts=[(storage, "/storage", True)]
    )
    user = pod.start(
        "write",
        "/osmo/data/output/result",
        "say",
        "value-of-the-key",
        "say",
        "text of the file",
        "say",
        "the-storage-key",
    )
    assert await asyncio.to_thread(ctrl.ended) == 0, router.of("w-1", "task").texts()
    assert user.ended() == 0
    assert (storage / "out" / "result").read_text() == "written\n"
    assert router.of("w-1", "task").texts("STDOUT") == ["write done", "[MASKED]", "[MASKED]", "[MASKED]"]


# -- init -------------------------------------------------------------------------------------------------------------


def test_init_makes_what_the_containers_mount(make_pod: MakePod) -> None:
    """Whatever its umask, and whoever the containers run as."""
    pod = make_pod()
    data, login = pod.volume("osmo-data"), pod.volume("osmo-login")
    open_to_all = [*(data / name for name in ("benchmarks", "input", "output", "socket"))]
    open_to_all += [pod.volume("osmo-run") / "workspace", login / "user" / "config", login / "ctrl" / "config"]
    assert {oct(path.stat().st_mode & 0o7777) for path in open_to_all} == {"0o777"}
    assert (login / "user" / "config" / "login.yaml").stat().st_mode & 0o777 == 0o666
    assert (pod.volume("osmo-usr-bin") / "osmo").readlink() == Path("/osmo/bin/osmo")
    installed = pod.volume("osmo")
    assert sorted(path.name for path in installed.iterdir()) == [
        "osmo",
        "osmo_ctrl",
        "osmo_exec",
        "osmo_init",
        "runtime",
    ]
    closed = [path for path in installed.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o444 != 0o444]
    assert closed == []


def test_init_again_changes_nothing(make_pod: MakePod) -> None:
    pod = make_pod()
    before = _state(pod.folder)
    login = pod.volume("osmo-login") / "user" / "config" / "login.yaml"
    login.write_text("changed by the CLI")
    assert pod.init("--service-url", "http://other", "--user", "other").ended() == 0
    assert _state(pod.folder) == before
    assert login.read_text() == "changed by the CLI"


def test_a_copy_that_was_broken_off_is_made_anew(make_pod: MakePod) -> None:
    pod = make_pod()
    volume = pod.volume("osmo")
    (volume / "osmo_exec").unlink()
    (volume / "runtime" / "ld.so").write_text("half")
    (volume / ".unfinished").mkdir()
    assert pod.init().ended() == 0
    assert (volume / "runtime" / "ld.so").stat().st_size > 100_000
    assert not (volume / ".unfinished").exists()


def test_init_that_cannot_write_says_so_in_one_sentence(make_pod: MakePod) -> None:
    pod = make_pod(prepared=False)
    (pod.volume("osmo") / "runtime").write_text("a file where the folder goes")
    init = pod.init()
    assert init.ended() == 1
    assert init.said().startswith("osmo-init: ")
    assert init.said().count("\n") == 1


def test_init_takes_less_than_a_second(make_pod: MakePod) -> None:
    """Of a processor's time, with all that the test adds: other tests run beside this one, and the clock would count them."""

    def seconds() -> float:
        pod, before = make_pod(prepared=False), resource.getrusage(resource.RUSAGE_CHILDREN)
        assert pod.init().ended() == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 1


async def test_ctrl_is_small(make_pod: MakePod, pod_spec: MakeSpec, router: FakeLogRouter) -> None:
    """Resident memory of ctrl and of the wrapper, while a command runs."""
    pod = make_pod()
    ctrl, user = pod.ctrl(pod_spec()), pod.start("say", "here", "sleep", "60")
    async with asyncio.timeout(60), router.changed:
        await router.changed.wait_for(lambda: "here" in router.of("w-1", "task").texts())
    sizes = {"ctrl": ctrl.resident_mb(), "user": user.resident_mb()}
    assert sizes["ctrl"] < 50, sizes
    assert sizes["user"] < 30, sizes


def test_a_program_of_another_name_is_refused(built_runtime: Path, tmp_path: Path) -> None:
    (tmp_path / "stranger").symlink_to(built_runtime / "osmo_exec")
    told = subprocess.run([tmp_path / "stranger"], capture_output=True, text=True, check=False)
    assert told.returncode == 127
    assert told.stderr == f"osmo: {tmp_path}/stranger: is no program of the runtime\n"


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    """Mode and inode of everything in the volumes."""
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_ino)
        for name in ("osmo", "osmo-data", "osmo-login", "osmo-usr-bin", "osmo-run")
        for path in sorted((folder / name).rglob("*"))
    }
