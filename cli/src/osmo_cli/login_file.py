"""`login.yaml`: which server, and who we are to it. Keys and meaning as the public CLI's, so that both read each other's file.

It is written as JSON, which is YAML too: reading it back needs no YAML parser.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from osmo_cli.errors import UserError


@dataclass(slots=True)
class TokenLogin:
    """`refresh_token` is what a new `id_token` (a JWT) is asked for with, at `refresh_url`."""

    id_token: str
    refresh_token: str | None = None
    refresh_url: str | None = None
    username: str | None = None
    client_id: str | None = None


@dataclass(slots=True)
class DevLogin:
    username: str


@dataclass(slots=True)
class Login:
    """Exactly one of `token_login` and `dev_login` is set. `url` has no slash at its end."""

    url: str
    osmo_token: bool = False
    token_login: TokenLogin | None = None
    dev_login: DevLogin | None = None
    name: str | None = None


def login_path(directory: Path) -> Path:
    return directory / "login.yaml"


def read_login(directory: Path) -> Login | None:
    """The stored login, or None where there is none. UserError for a file that is none of ours."""
    path = login_path(directory)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return _login(_parse(text))
    except (TypeError, ValueError, KeyError) as error:
        raise UserError(f"{path} does not hold a login ({error}). Log in again with `osmo login`.") from error


def write_login(directory: Path, login: Login) -> None:
    """Replace the stored login at once; only its owner may read the file."""
    directory.mkdir(parents=True, exist_ok=True)
    path = login_path(directory)
    fresh = path.with_suffix(f".{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(login), file, indent=2)
        file.write("\n")
    fresh.replace(path)


def delete_login(directory: Path) -> None:
    login_path(directory).unlink(missing_ok=True)


def _parse(text: str) -> Any:
    if text.lstrip().startswith("{"):
        return json.loads(text)
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ValueError("it is not YAML") from error


def _login(found: Any) -> Login:
    if not isinstance(found, dict) or not isinstance(found.get("url"), str):
        raise ValueError("no url")
    token, dev = found.get("token_login"), found.get("dev_login")
    if (token is None) == (dev is None):
        raise ValueError("one of token_login and dev_login")
    return Login(
        url=found["url"].rstrip("/"),
        osmo_token=bool(found.get("osmo_token")),
        token_login=TokenLogin(**_known(token, TokenLogin)) if token is not None else None,
        dev_login=DevLogin(**_known(dev, DevLogin)) if dev is not None else None,
        name=found.get("name"),
    )


def _known(found: dict[str, Any], kind: type) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key in kind.__dataclass_fields__}  # type: ignore[attr-defined]
