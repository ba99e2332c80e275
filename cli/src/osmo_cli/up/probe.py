"""Asking our own gateway: would it take a submission now, and what still runs?"""

import http.client
import json
from typing import Any

from osmo_cli.version import USER_AGENT


def pools_online(host: str, port: int, pools: list[str]) -> bool:
    """Every one of these pools would take work now."""
    found = _get(host, port, "/api/pool")
    known = found.get("pools", {}) if isinstance(found, dict) else {}
    return all(known.get(pool, {}).get("status") == "ONLINE" for pool in pools)


def running_tasks(host: str, port: int, pool: str) -> int | None:
    """How many tasks run in the pool; None where the gateway does not say."""
    query = f"statuses=RUNNING&statuses=INITIALIZING&all_users=True&pools={pool}&limit=1000"
    found = _get(host, port, f"/api/task?{query}")
    return len(found["tasks"]) if isinstance(found, dict) and "tasks" in found else None


def _get(host: str, port: int, path: str) -> Any:
    """The decoded answer, or None."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", path, headers={"User-Agent": USER_AGENT, "x-osmo-user": "osmo-up"})
        response = connection.getresponse()
        body = response.read()
        return json.loads(body) if response.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
