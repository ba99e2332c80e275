"""Somebody at a terminal: the real `osmo`, in a directory and with a login of its own."""

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path

from tests.installation import OSMO


@dataclass
class Terminal:
    directory: Path

    async def osmo(self, *arguments: str) -> str:
        """What the command writes to stdout; it must succeed."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("OSMO_")}
        process = await asyncio.create_subprocess_exec(
            OSMO,
            *arguments,
            cwd=self.directory,
            env={**environ, "OSMO_CONFIG_FILE_DIR": str(self.directory / "config")},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == 0, (
            f"osmo {' '.join(arguments)}: {process.returncode}\n{out.decode()}\n{err.decode()}"
        )
        return out.decode()

    async def submit(self, path: str, *flags: str) -> str:
        """The id of the workflow."""
        answer = await self.osmo("workflow", "submit", path, "--format-type", "json", *flags)
        return str(json.loads(answer)["name"])

    def write(self, name: str, text: str) -> str:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return name


async def logged_in(directory: Path, url: str, user: str) -> Terminal:
    terminal = Terminal(directory)
    await terminal.osmo("login", url, "--method", "dev", "--username", user)
    return terminal
