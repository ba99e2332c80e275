"""Where the API has backends."""

from urllib.parse import quote


def backend_path(name: str) -> str:
    return f"api/backend/{quote(name, safe='')}"


def token_path(name: str, token_id: str = "") -> str:
    return f"{backend_path(name)}/token" + (f"/{quote(token_id, safe='')}" if token_id else "")
