"""`osmo login`: remember a server and who we are to it."""

import argparse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from osmo_cli.client import Client
from osmo_cli.errors import UserError
from osmo_cli.identity import claims, exchange_token
from osmo_cli.login_file import DevLogin, Login, TokenLogin, write_login
from osmo_cli.output import say
from osmo_cli.session import Session

METHODS = ("pkce", "code", "password", "token", "dev")
NEEDS = {
    "pkce": ("browser_endpoint", "browser_client_id", "token_endpoint"),
    "code": ("device_endpoint", "device_client_id", "token_endpoint"),
    "password": ("device_client_id", "token_endpoint"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", nargs="?", help="the server, e.g. http://127.0.0.1:8000; the stored one if left out")
    parser.add_argument("--method", choices=METHODS, default="pkce", help="how to prove who you are (pkce)")
    parser.add_argument("--username", help="for dev and password")
    secret = parser.add_mutually_exclusive_group()
    secret.add_argument("--password", help="for password")
    secret.add_argument("--password-file", type=Path, help="file that holds the password")
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token", help="an access token, for token")
    token.add_argument("--token-file", type=Path, help="file that holds the access token")
    parser.add_argument("--device-endpoint", help="instead of the one that the server names")
    parser.add_argument("--browser-endpoint", help="instead of the one that the server names")
    parser.add_argument("--callback-port", type=int, default=0, help="local port for the browser's answer (any)")
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    url = _url(session)
    say(f"Logging in to {url}")
    if args.method == "dev":
        login = _dev(url, args.username)
    elif args.method == "token":
        login = _token(url, args)
    else:
        raise _not_offered(url, args.method)
    write_login(session.directory, login)
    say(f"Successfully logged in. Welcome {login.name or ''}.")
    return 0


def _url(session: Session) -> str:
    if session.args.url:
        url = str(session.args.url).rstrip("/")
    elif (stored := session.login()) is not None:
        url = stored.url
    else:
        raise UserError("Which server? `osmo login http://127.0.0.1:8000 --method dev --username NAME`, for example.")
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise UserError(f"{url} is not a server's URL: it must start with http:// or https://.")
    return url


def _dev(url: str, username: str | None) -> Login:
    if not username:
        raise UserError("A dev login needs --username NAME.")
    return Login(url, dev_login=DevLogin(username), name=username)


def _token(url: str, args: argparse.Namespace) -> Login:
    token = args.token or _read(args.token_file)
    if not token:
        raise UserError("A token login needs --token TOKEN or --token-file FILE.")
    refresh_url = f"{url}/api/auth/jwt/access_token"
    jwt = exchange_token(refresh_url, token)
    name = str(claims(jwt).get("name") or "")
    return Login(url, osmo_token=True, token_login=TokenLogin(jwt, token, refresh_url), name=name)


def _read(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error


def _not_offered(url: str, method: str) -> UserError:
    """Why this way in does not work: the server has no identity provider, or this release does not speak to it yet."""
    offered: dict[str, Any] = Client(url, dict, attempts=1).get("api/auth/login") or {}
    if all(offered.get(key) for key in NEEDS[method]):
        return UserError(
            f"This release of osmo cannot log in by {method} yet. Use --method token with an access token."
        )
    return UserError(
        f"The server at {url} offers no login by {method}: it has no identity provider.\n"
        f"On a server that `osmo up` started, log in with:\n    osmo login {url} --method dev --username NAME\n"
        f"With an access token:\n    osmo login {url} --method token --token-file FILE"
    )
