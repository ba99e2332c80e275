"""Which Python packages the images hold, and copying those of the runtime from the environment that runs this build.

`python -m images.packages runtime|service` prints the part of requirements.lock that an image is made of, for `pip install --require-hashes --no-deps`.
`python -m images.packages service DIRECTORY` puts the members of the service image into that directory, as `import` looks for them.
"""

import importlib.metadata
import re
import shutil
import sys
import tomllib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from images.botocore_data import SERVICES, prune_descriptions

ROOT = Path(__file__).resolve().parent.parent

RUNTIME_MEMBERS = ("osmo-api", "osmo-cli", "osmo-domain", "osmo-runtime", "osmo-storage")
"""Copied whole, but see NOT_SHIPPED."""

RUNTIME_PACKAGES = (
    "aiobotocore",
    "aiohappyeyeballs",
    "aiohttp",
    "aioitertools",
    "aiosignal",
    "attrs",
    "botocore",
    "frozenlist",
    "idna",
    "jinja2",
    "jmespath",
    "markupsafe",
    "msgspec",
    "multidict",
    "propcache",
    "python-dateutil",
    "ruamel-yaml",
    "ruamel-yaml-clib",
    "six",
    "typing-extensions",
    "urllib3",
    "wrapt",
    "yarl",
)
"""What those members import, and what that imports: every one is in requirements.lock. A test holds this against the packages' own word."""

SERVICE_MEMBERS = (
    *RUNTIME_MEMBERS,
    "osmo-agent",
    "osmo-data",
    "osmo-eventlog",
    "osmo-gateway",
    "osmo-kube",
    "osmo-log-router",
    "osmo-scheduler",
    "osmo-service",
    "osmo-submit",
    "osmo-views",
)

SERVICE_PACKAGES = (
    *RUNTIME_PACKAGES,
    "asyncpg",
    "certifi",
    "cffi",
    "cryptography",
    "kubernetes-asyncio",
    "nats-py",
    "nkeys",
    "pycparser",
    "pynacl",
    "pyyaml",
    "uvloop",
)

NOT_SHIPPED = frozenset(("osmo_cli/up", "osmo_runtime/shim"))
"""What runs a control plane or the pods of a bare machine."""

_NO_CODE = re.compile(r"\.(c|h|pyx|pxd|pxi|pyi|typed|hash)$|(^|/)(tests?|__pycache__|\.hash|zoneinfo|emscripten)(/|$)")


def copy_packages(target: Path) -> None:
    """Put the runtime's packages into `target`, as `import` looks for them."""
    for name in RUNTIME_PACKAGES:
        copy_installed(name, target)
    prune_descriptions(target / "botocore" / "data")
    for member in RUNTIME_MEMBERS:
        copy_member(member, target, NOT_SHIPPED)


def copy_installed(name: str, target: Path) -> None:
    """Put an installed package into `target`, without what no program in a pod uses."""
    files = importlib.metadata.distribution(name).files or []
    for file in files:
        if _is_shipped(file.as_posix()):
            source = Path(str(file.locate()))
            place = target / file.as_posix()
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)


def _is_shipped(name: str) -> bool:
    if name.startswith("..") or ".dist-info/" in name or _NO_CODE.search(name):
        return False
    inside = name.removeprefix("botocore/data/")
    return inside == name or "/" not in inside or inside.startswith(tuple(f"{each}/" for each in SERVICES))


def copy_member(member: str, target: Path, without: Collection[str] = ()) -> None:
    """Put a member's packages into `target`, but for these folders."""
    source = member_folder(member) / "src"
    for file in sorted(source.rglob("*")):
        name = file.relative_to(source).as_posix()
        if file.is_dir() or _NO_CODE.search(name) or any(name.startswith(f"{each}/") for each in without):
            continue
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)


def copy_service_member(member: str, target: Path) -> None:
    """Put a member's packages into `target`, and what `importlib.metadata` knows of it."""
    copy_member(member, target)
    _describe(member, target)


def _describe(member: str, target: Path) -> None:
    """What `importlib.metadata` is asked for: name and version."""
    project = tomllib.loads((member_folder(member) / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    folder = target / f"{member.replace('-', '_')}-{project['version']}.dist-info"
    folder.mkdir(exist_ok=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {member}\nVersion: {project['version']}\n")


def member_folder(member: str) -> Path:
    """Raises KeyError."""
    return members()[member]


def members() -> dict[str, Path]:
    """Every member of this workspace, and where it lies."""
    found = {}
    for project in (*ROOT.glob("*/pyproject.toml"), *ROOT.glob("*/*/pyproject.toml")):
        found[tomllib.loads(project.read_text(encoding="utf-8"))["project"]["name"]] = project.parent
    return found


# -- the lock ---------------------------------------------------------------------------------------------------------


def locked(names: Iterable[str]) -> Iterator[str]:
    """The entries of requirements.lock for these packages, with their hashes. Raises KeyError for one that is not there."""
    entries = _entries((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    for name in names:
        yield entries[name]


def _entries(lock: str) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9][a-z0-9-]*)==(?:.*\\\n)*.*\n?", lock, re.MULTILINE)
    whole = re.finditer(r"^[a-z0-9](?:.*\\\n)*.*\n?", lock, re.MULTILINE)
    return dict(zip(found, (each[0] for each in whole), strict=True))


def main() -> int:
    image, *target = sys.argv[1:]
    if target:
        for member in SERVICE_MEMBERS:
            copy_service_member(member, Path(target[0]))
    else:
        sys.stdout.writelines(locked({"runtime": RUNTIME_PACKAGES, "service": SERVICE_PACKAGES}[image]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
