"""`make lock`: write requirements.lock anew: every package that a member or the tools need, with versions and hashes, for every platform.

Our own members are left out (they are installed from here), and so is the name of any package host.
"""

import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
OLDEST_PYTHON = "3.11"
UV = str(Path(sysconfig.get_path("scripts")) / "uv")


def main() -> int:
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else LOCK
    needed = sorted(outside_requirements())
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "requirements.in"
        source.write_text("\n".join(needed) + "\n", encoding="utf-8")
        fresh = Path(directory) / "requirements.lock"
        if LOCK.exists():
            # What is locked already stays at its version unless a member asks for another.
            fresh.write_text(LOCK.read_text(encoding="utf-8"), encoding="utf-8")
        command = [
            UV,
            "pip",
            "compile",
            "--quiet",
            "--universal",
            "--generate-hashes",
            "--no-emit-index-url",
            "--no-header",
        ]
        subprocess.run(
            [*command, "--no-annotate", "--python-version", OLDEST_PYTHON, str(source), "-o", str(fresh)], check=True
        )
        text = fresh.read_text(encoding="utf-8")
    if "://" in text:
        sys.exit("the lock would name a package host; nothing was written")
    output.write_text(text, encoding="utf-8")
    print(f"{output}: {len(needed)} direct requirements")
    return 0


def outside_requirements() -> set[str]:
    """What the members and the tools require of the outside world."""
    found = set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["dev"])
    for path in sorted(ROOT.glob("*/pyproject.toml")) + sorted(ROOT.glob("*/*/pyproject.toml")):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        found.update(project.get("dependencies", []))
        for extra in project.get("optional-dependencies", {}).values():
            found.update(extra)
    return {each for each in found if not re.match(r"osmo[-_]", each)}


if __name__ == "__main__":
    sys.exit(main())
