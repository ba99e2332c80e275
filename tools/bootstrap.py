"""Make the virtual environment that every make target uses. Standard library only: it runs before anything is installed."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEMBERS = [
    *sorted((ROOT / "libs").iterdir()),
    *sorted((ROOT / "services").iterdir()),
    ROOT / "runtime",
    ROOT / "cli",
]


def run(*command: str) -> None:
    subprocess.run(command, check=True, cwd=ROOT)


def make_environment(venv: Path) -> None:
    """A virtual environment with pip in it, also where the system's Python lacks ensurepip (Debian splits it off)."""
    if (venv / "bin" / "pip").exists():
        return
    made = subprocess.run([sys.executable, "-m", "venv", str(venv)], check=False, capture_output=True, text=True)
    if made.returncode == 0:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(venv)], check=True)
    site = sysconfig.get_path("purelib", vars={"base": str(venv)})
    lent = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", site, "pip"], check=False)
    if lent.returncode != 0:
        sys.exit(
            "This Python can make no virtual environment with pip in it.\n"
            "Expected: `python3 -m venv` or `python3 -m pip` to work (Debian and Ubuntu: apt-get install python3-venv).\n"
            f"It said: {made.stderr.strip() or made.stdout.strip()}"
        )


def main() -> None:
    if sys.version_info < (3, 11):
        sys.exit(f"osmo needs Python 3.11 or newer; this is {sys.version.split()[0]}. Try: make demo PYTHON=python3.12")
    venv = Path(sys.argv[1]).absolute()
    make_environment(venv)
    python = str(venv / "bin" / "python")
    os.environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    print("installing the locked packages ...", flush=True)
    run(python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", "requirements.lock")
    editables = [part for member in MEMBERS if (member / "pyproject.toml").exists() for part in ("-e", str(member))]
    print("installing the members of this workspace ...", flush=True)
    run(
        str(venv / "bin" / "uv"), "pip", "install", "--quiet", "--python", python, "--no-deps", "--no-build-isolation", "--offline",
        *editables,
    )  # fmt: skip


if __name__ == "__main__":
    main()
