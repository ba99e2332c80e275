"""One HTTP exchange over a connection of its own, with the standard library: importing aiohttp would cost more than the whole command.

Says only Transport-level things; what a status means is `client.py`'s.
"""

import http.client
import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from osmo_cli.errors import ServerError, UserError

TIMEOUT_S = 60.0


class NotSent(Exception):
    """No connection: the server cannot have seen the request."""


class Lost(Exception):
    """The connection broke after the request went out: the server may have carried it out."""


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    timeout_s: float | None = TIMEOUT_S


def exchange(call: Call) -> http.client.HTTPResponse:
    """The response, its body unread. NotSent or Lost where there is none."""
    parts = urlsplit(call.url)
    connection = _connection(parts.scheme, parts.hostname or "", parts.port)
    try:
        connection.connect()
    except OSError as error:
        raise NotSent(str(error)) from error
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(call.method, target, body=call.body, headers=dict(call.headers))
        if call.timeout_s is None and connection.sock is not None:
            connection.sock.settimeout(None)
        return connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise Lost(str(error) or type(error).__name__) from error


def read_all(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read()
    except (OSError, http.client.HTTPException) as error:
        raise ServerError(f"The server's answer was cut off: {error}") from error
    finally:
        response.close()


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    kinds: dict[str, type[http.client.HTTPConnection]] = {
        "http": http.client.HTTPConnection,
        "https": http.client.HTTPSConnection,
    }
    if scheme not in kinds or not host:
        raise UserError("The server's URL must start with http:// or https:// and name a host.")
    proxy = _proxy(scheme, host)
    if proxy is None:
        return kinds[scheme](host, port, timeout=TIMEOUT_S)
    through = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    connection = kinds[scheme](through.hostname or "", through.port, timeout=TIMEOUT_S)
    connection.set_tunnel(host, port)
    return connection


def _proxy(scheme: str, host: str) -> str | None:
    """The proxy that the environment asks for; most have none, and pay nothing for the question."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass

    proxies: dict[str, str] = getproxies()
    if scheme not in proxies or host in {"127.0.0.1", "localhost", "::1"} or proxy_bypass(host):
        return None
    return proxies[scheme]
