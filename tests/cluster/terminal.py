"""What somebody types who works with a control plane on a cluster: `osmo`, and `kubectl port-forward`."""

import asyncio
import json
import os
import re
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from tests.cluster.manifests import ROOT
from tests.cluster.rollout import Rollout, run

OSMO = str(Path(sysconfig.get_path("scripts")) / "osmo")
FORWARDED_WITHIN_S = 60
COMPLETED_WITHIN_S = 120


class Ada:
    """Somebody at a terminal."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        own = {"OSMO_CONFIG_FILE_DIR": str(directory), "HOME": str(directory)}
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("OSMO_")} | own

    async def osmo(self, *words: str) -> str:
        return await run([OSMO, *words], self._environment, self.directory)

    async def login(self, url: str) -> None:
        await self.osmo("login", url, "--method", "dev", "--username", "ada")

    async def register(self, backend: str) -> str:
        """The token that the agent comes in with, out of the file that `osmo backend register` writes."""
        await self.osmo("backend", "register", backend)
        text = (self.directory / f"osmo-agent-{backend}.yaml").read_text(encoding="utf-8")
        secret = next(one for one in yaml.safe_load_all(text) if one["kind"] == "Secret")
        token: str = secret["stringData"]["token"]
        return token

    async def keep_data(self, endpoint: str, url: str) -> None:
        """Data between tasks goes there, with the keys of the Secret `osmo-storage`."""
        credential = {"endpoint": endpoint, "override_url": url, "secretName": "osmo-storage"}
        file = self.directory / "workflow.json"
        file.write_text(json.dumps({"workflow_data": {"credential": credential}}), encoding="utf-8")
        await self.osmo("config", "update", "WORKFLOW", "--file", str(file), "--description", "a store")

    async def example(self, rolled: Rollout, name: str) -> str:
        """One of examples/, from its submission until it is COMPLETED; its log."""
        said = await self.osmo("workflow", "submit", str(ROOT / "examples" / f"{name}.yaml"))
        found = re.search(rf"\b{name}-\d+\b", said)
        assert found is not None, said
        seen: dict[str, Any] = {}
        try:
            async with asyncio.timeout(COMPLETED_WITHIN_S):
                while seen.get("status") != "COMPLETED":
                    seen = json.loads(await self.osmo("workflow", "query", found[0], "--format-type", "json"))
                    assert not seen["status"].startswith("FAILED"), seen
        except TimeoutError:
            raise AssertionError(f"not within {COMPLETED_WITHIN_S} s: {seen}\n{await rolled.seen()}") from None
        return await self.osmo("workflow", "logs", found[0])


@asynccontextmanager
async def forwarded(rolled: Rollout) -> AsyncIterator[str]:
    """The gateway's URL, by `kubectl port-forward`."""
    process = await asyncio.create_subprocess_exec(
        rolled.cluster.programs / "kubectl", "--kubeconfig", rolled.cluster.kubeconfig,
        "--namespace", rolled.namespace, "port-forward", "service/gateway", ":8000",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(FORWARDED_WITHIN_S):
            line = (await process.stdout.readline()).decode()
        found = re.search(r"from (127\.0\.0\.1:\d+)", line)
        assert found is not None, line
        yield f"http://{found[1]}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
