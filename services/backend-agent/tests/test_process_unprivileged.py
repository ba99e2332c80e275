"""The same pods for somebody who is not root."""

import asyncio
import json
import os
import shlex
import sys
import tempfile
from pathlib import Path

TASK = """
import asyncio, json, sys
sys.path.insert(0, {checkout!r})
from pathlib import Path
from osmo_domain.plan import FilePlan
from tests.process_cluster import bash, process_cluster
SCRIPT = "id -u; cat /etc/osmo-test.conf; touch /tmp/mine /osmo/output/mine; python3 -c 'print(6*7)'; ps -e -o comm= | head -1; setsid sleep 1000 &"
async def main():
    async with process_cluster(Path({state!r})) as cluster:
        fact = await cluster.run(bash(SCRIPT, files=(FilePlan("/etc/osmo-test.conf", "injected\\n"),)))
        print(json.dumps([fact.phase, cluster.stored().texts("STDOUT", "STDERR"), cluster.stored().texts("OSMO_CTRL")]))
asyncio.run(main())
"""

USER = 12345


def as_another_user(python: str, state_dir: Path) -> list[str]:
    """Root turns into a user without any privilege. Where this Python lies in root's home, which others may not enter, it is shown there in
    a private mount namespace whose /root is open.
    """
    script = TASK.format(checkout=str(Path.cwd()), state=str(state_dir))
    if os.geteuid() != 0:
        return [python, "-c", script]
    drop = f"exec setpriv --reuid={USER} --regid={USER} --clear-groups {shlex.quote(python)} -c {shlex.quote(script)}"
    show = (
        "set -e; mkdir -p /run/osmo-test-home; mount --rbind /root /run/osmo-test-home; "
        "mount -t tmpfs -o mode=755 none /root; for d in $(ls -A /run/osmo-test-home); do "
        '[ -d "/run/osmo-test-home/$d" ] || continue; mkdir -p "/root/$d"; mount --rbind "/run/osmo-test-home/$d" "/root/$d"; done; '
    )
    return ["unshare", "-m", "bash", "-c", show + drop]


async def test_a_user_without_privileges_has_private_roots_too() -> None:
    """With the user's own identity inside; files stand in folders that the user cannot write, and nothing is left running."""
    with tempfile.TemporaryDirectory() as open_to_all:
        Path(open_to_all).chmod(0o777)
        code, said, errors = await run(as_another_user(sys.executable, Path(open_to_all) / "state"))
    assert code == 0, errors
    expected = [str(USER if os.geteuid() == 0 else os.geteuid()), "injected", "42"]
    assert f'["SUCCEEDED", {json.dumps(expected)[:-1]}' in said
    assert "No private file system" not in said
    assert not Path("/etc/osmo-test.conf").exists()


async def run(program: list[str]) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, said.decode(), errors.decode()
