"""The three containers of a pod as child processes: what each runs, and how it is started."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from osmo_runtime import init
from osmo_runtime.paths import PodPaths
from osmo_runtime.pod import PodSpec
from osmo_runtime.pod_secrets import with_values
from osmo_runtime.shim.linux import name_process
from osmo_runtime.shim.pod_dir import PodDir
from osmo_runtime.shim.private_root import CannotPlace, own_tmp, place_files
from osmo_runtime.user.descendants import die_with_parent
from osmo_runtime.user.job import Checkpoint, UserJob
from osmo_runtime.user_keys import write_user_keys

POD_MARK = "OSMO_POD"
"""The environment variable by which the processes of a pod can be found when nothing else holds them together: it names the pod's directory."""

CRASHED = 70


def fork(name: str, run: Callable[[], int], close: tuple[int, ...]) -> int:
    """Start a container: `run` in a child process, which ends with what it returns. Descriptors in `close` stay with the parent."""
    pid = os.fork()
    if pid == 0:
        run_and_exit(lambda: _contained(name, run, close))
    return pid


def run_and_exit(run: Callable[[], int]) -> NoReturn:
    """For a forked child, which must never return into its parent's code: end with what `run` returns."""
    code = CRASHED
    try:
        code = run()
    except BaseException:  # noqa: BLE001 (see above; the log has it)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _contained(name: str, run: Callable[[], int], close: tuple[int, ...]) -> int:
    die_with_parent()
    name_process(name)
    for descriptor in close:
        os.close(descriptor)
    _forget_signals()
    return run()


def _forget_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)


def run_init(spec: PodSpec, paths: PodPaths, osmo_program: str) -> int:
    service = ["--service-url", spec.service_url, "--user", spec.user]
    code = init.main(["--root", str(paths.osmo.parent), "--osmo-program", osmo_program, *service])
    if code == 0:
        write_user_keys(paths.login, spec.secrets.storage)
    return code


def run_ctrl_container(spec: PodSpec, paths: PodPaths, notes: list[str]) -> int:
    from osmo_runtime.ctrl.life import Limits
    from osmo_runtime.ctrl.program import run_ctrl

    return run_ctrl(spec, paths, notes=notes, limits=Limits(user_connects_within_s=120))


def run_user_container(spec: PodSpec, paths: PodPaths, pod: PodDir, isolation: str, say_why: int) -> int:
    """Make the user's view of the file system, then wrap the command. A failure to make it is written to `say_why`."""
    from osmo_runtime.user.wrapper import run_user

    job = user_job(spec, paths, pod)
    try:
        if isolation != "none":
            own_tmp(pod, kept_visible(spec))
            place_files(spec.files, spec.secrets.files, pod.root / "staged")
        else:
            _write_files(spec)
        os.chdir(paths.workspace)
    except (OSError, CannotPlace) as error:
        os.write(say_why, str(error).encode())
        os.close(say_why)
        return run_user(job, cannot_start=str(error))
    os.close(say_why)
    return run_user(job)


def user_job(spec: PodSpec, paths: PodPaths, pod: PodDir) -> UserJob:
    """The command with the environment that a container of its image would give it: what this machine needs, and what the spec says."""
    environment = {**os.environ, **spec.environment, **spec.secrets.environment, POD_MARK: str(pod.path)}
    environment["OSMO_CONFIG_FILE_DIR"] = str(paths.login)
    environment["PATH"] = f"{environment.get('PATH', os.defpath)}:{paths.user_bin}"
    if not spec.gpu:
        environment["NVIDIA_VISIBLE_DEVICES"] = ""
    return UserJob(
        argv=with_values((*spec.command, *spec.args), spec.secrets),
        environment=environment,
        socket=paths.socket,
        checkpoints=tuple(Checkpoint(each.path, each.url, each.frequency_s, each.regex) for each in spec.checkpoints),
    )


def kept_visible(spec: PodSpec) -> list[Path]:
    """What may lie below the host's /tmp and must stay visible: this Python with its packages, and where checkpoints go."""
    python = [Path(entry) for entry in {sys.prefix, sys.base_prefix, *sys.path} if entry.startswith("/")]
    stores = [Path(each.url.removeprefix("file://")) for each in spec.checkpoints if each.url.startswith("file:///")]
    for store in stores:
        store.mkdir(parents=True, exist_ok=True)
    return sorted({*python, *stores})


def _write_files(spec: PodSpec) -> None:
    from osmo_runtime.shim.private_root import SECRET_MODE, content_of, write_file

    for file in spec.files:
        write_file(Path(file.path), content_of(file))
    for secret in spec.secrets.files:
        write_file(Path(secret.path), content_of(secret), SECRET_MODE)
