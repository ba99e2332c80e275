"""Who a request comes from: the headers of the stored login, with a token renewed when it is about to expire."""

import base64
import binascii
import getpass
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from osmo_cli.errors import ServerError, UserError
from osmo_cli.http_call import Call, Lost, NotSent, exchange, read_all
from osmo_cli.login_file import Login, write_login
from osmo_cli.version import USER_AGENT

RENEW_BEFORE_S = 3


def user_name(environ: Mapping[str, str]) -> str:
    """The name of whoever is logged in to this machine, for a local server that takes anybody's word."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return environ.get("USER") or "me"


def identity_headers(login: Login, directory: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """`x-osmo-user` for a dev login; a bearer token, renewed and stored again where it has run out, for any other."""
    if login.dev_login is not None:
        return {"x-osmo-user": login.dev_login.username}
    token = login.token_login
    if token is None:
        return {}
    if expires_at(token.id_token) - RENEW_BEFORE_S < time.time():
        _renew(login, directory)
    headers = {"Authorization": f"Bearer {token.id_token}"}
    if environ.get("OSMO_LOGIN_DEV", "").lower() == "true" and token.username:
        headers["x-osmo-user"] = token.username
    return headers


def exchange_token(url: str, token: str) -> str:
    """A JWT for an access token, from the server's token endpoint."""
    headers = {"User-Agent": USER_AGENT, "Content-Type": "application/json", "Accept": "*/*"}
    call = Call("POST", url, headers, json.dumps({"token": token}).encode())
    try:
        response = exchange(call)
    except (NotSent, Lost) as error:
        raise ServerError(f"Cannot reach {url}: {error}") from error
    text = read_all(response).decode("utf-8", "replace")
    if response.status >= 300:
        raise ServerError(f"The server refused the token ({response.status}): {text}", status=response.status)
    try:
        return str(json.loads(text)["token"])
    except (ValueError, KeyError, TypeError) as error:
        raise ServerError(f"{url} answered without a token.") from error


def claims(token: str) -> dict[str, Any]:
    """What a JWT says of itself, unverified: the server verifies it."""
    try:
        payload = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, binascii.Error, ValueError) as error:
        raise UserError("The stored token is not a JWT. Log in again with `osmo login`.") from error
    return found if isinstance(found, dict) else {}


def expires_at(token: str) -> float:
    """Seconds since the epoch."""
    try:
        return float(claims(token)["exp"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError("The stored token has no expiry. Log in again with `osmo login`.") from error


def _renew(login: Login, directory: Path) -> None:
    token = login.token_login
    if token is None or not login.osmo_token or not token.refresh_token or not token.refresh_url:
        raise UserError(f"The login to {login.url} has expired. Log in again with `osmo login {login.url}`.")
    token.id_token = exchange_token(token.refresh_url, token.refresh_token)
    write_login(directory, login)
