"""Which pool a command means when none is named."""

from osmo_cli.client import Client
from osmo_cli.errors import CliError, UserError

NO_POOL = """No default pool set. Name one with --pool, or set yours:
    osmo profile set pool <name>        (`osmo pool list` shows which there are)"""
LOCAL_POOL = "default"


def default_pool(client: Client) -> str:
    """The profile's pool; else the only pool there is, or the one called `default`. UserError where that names none."""
    settings = client.get("api/profile/settings")
    if chosen := (settings.get("profile") or {}).get("pool"):
        return str(chosen)
    names = _names(client)
    if len(names) == 1:
        return names[0]
    if LOCAL_POOL in names:
        return LOCAL_POOL
    raise UserError(NO_POOL)


def _names(client: Client) -> list[str]:
    try:
        found = client.get("api/pool")
    except CliError:
        return []
    in_sets = [pool["name"] for node_set in found.get("node_sets", ()) for pool in node_set.get("pools", ())]
    return in_sets or list(found.get("pools", ()))
