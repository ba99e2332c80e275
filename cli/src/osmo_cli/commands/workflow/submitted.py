"""What is printed when a workflow was submitted or restarted."""

from typing import Any

from osmo_cli.client import Client
from osmo_cli.errors import CliError
from osmo_cli.output import say

PREEMPTIBLE = "Priority is LOW: the workflow may be preempted when others need its resources."


def say_submitted(answer: Any, *, headline: str, client: Client, pool: str, priority: str | None) -> None:
    """The public CLI's lines, then where the run goes and how to follow it."""
    workflow_id = answer["name"]
    say(headline)
    say(f"Workflow ID        - {workflow_id}")
    say(f"Workflow Overview  - {answer['overview']}")
    if answer.get("dashboard_url"):
        say(f"Workflow Dashboard - {answer['dashboard_url']}")
    for warning in answer.get("warnings") or ():
        say(f"WARNING: {warning}")
    if priority == "LOW":
        say(f"WARNING: {PREEMPTIBLE}")
    say(f"Workflow Pool      - {_pool_line(client, pool)}")
    say(f"\nFollow its logs:     osmo workflow logs {workflow_id}")
    say(f"See how it is doing: osmo workflow query {workflow_id}")


def _pool_line(client: Client, pool: str) -> str:
    """The pool and whether it takes work now. The workflow is submitted: not learning this is no failure."""
    try:
        status = client.get("api/pool", {"pools": [pool]})["pools"][pool]["status"]
    except (CliError, KeyError, TypeError):
        return pool
    if status == "OFFLINE":
        return f"{pool} (OFFLINE: it waits there until the pool's backend is back)"
    return f"{pool} ({status})"
