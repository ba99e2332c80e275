"""Which Python packages the images hold, and copying those of the runtime from the environment that runs this build.

`python -m images.packages` prints the part of requirements.lock that the runtime is made of, for `pip install --require-hashes --no-deps`.
"""

import importlib.metadata
import re
import shutil
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

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

NOT_SHIPPED = frozenset(("osmo_cli/up", "osmo_runtime/shim"))
"""What runs a control plane or the pods of a bare machine."""

BOTOCORE_SERVICES = ("s3", "sts")
_NO_CODE = re.compile(r"\.(c|h|pyx|pxd|pxi|pyi|typed|hash)$|(^|/)(tests?|__pycache__|\.hash|zoneinfo|emscripten)(/|$)")


def copy_packages(target: Path) -> None:
    """Put the runtime's packages into `target`, as `import` looks for them."""
    for name in RUNTIME_PACKAGES:
        _copy_installed(name, target)
    for member in RUNTIME_MEMBERS:
        _copy_member(member, target)


def _copy_installed(name: str, target: Path) -> None:
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
    return inside == name or "/" not in inside or inside.startswith(tuple(f"{each}/" for each in BOTOCORE_SERVICES))


def _copy_member(member: str, target: Path) -> None:
    source = member_folder(member) / "src"
    for file in sorted(source.rglob("*")):
        name = file.relative_to(source).as_posix()
        if file.is_dir() or _NO_CODE.search(name) or any(name.startswith(f"{each}/") for each in NOT_SHIPPED):
            continue
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)


def member_folder(member: str) -> Path:
    """Where a member of this workspace lies. Raises KeyError."""
    return _members()[member]


def _members() -> dict[str, Path]:
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


if __name__ == "__main__":
    sys.stdout.writelines(locked(RUNTIME_PACKAGES))
