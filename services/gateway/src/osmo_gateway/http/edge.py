"""What happens to every request: its id, who asks, the client's version, errors as answers, one line in our own log."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from aiohttp import web

from osmo_domain.errors import Rejected, Transient
from osmo_gateway.caller import DEV_USER, Caller
from osmo_gateway.gateway import Gateway
from osmo_gateway.http import answers
from osmo_gateway.http.params import BadRequest
from osmo_gateway.version import version_headers

log = logging.getLogger("osmo.gateway.request")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CALLER: Final = web.RequestKey("caller", Caller)
REQUEST_ID: Final = web.RequestKey("request_id", str)
PATH: Final = web.RequestKey("path", dict)
GATEWAY: Final = web.RequestKey("gateway", Gateway)

_USER: Final = re.compile(r"[^\s*>\x00-\x1f\x7f]{1,200}")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
_FAILED: Final = 400
OPEN: Final = frozenset({"/health", "/api/version", "/client/version", "/api/auth/login", "/api/openapi.json"})
"""What needs no login."""

USER_HEADER: Final = "x-osmo-user"


class Edge:
    """`dev` trusts the `x-osmo-*` headers. `max_bytes` is what a request may carry."""

    def __init__(self, gateway: Gateway, *, dev: bool, max_bytes: int, rng: Random) -> None:
        self._gateway = gateway
        self._dev = dev
        self._max_bytes = max_bytes
        self._rng = rng

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        began = loop.time()
        request_id = self._request_id(request)
        request[REQUEST_ID], request[GATEWAY] = request_id, self._gateway
        extra: dict[str, str] = {}
        try:
            extra = self._version(request)
            request[CALLER] = self._caller(request)
            if request.path.startswith("//"):
                request, handler = await _collapsed(request)
            response = await handler(request)
        except Rejected as error:
            response = answers.rejected_answer(error, request_id)
        except BadRequest as error:
            response = answers.bad_request_answer(error)
        except Transient as error:
            response = answers.unavailable_answer(error, request_id)
        except web.HTTPRequestEntityTooLarge:
            response = answers.too_large_answer(self._max_bytes, request_id)
        except web.HTTPException as error:
            response = answers.http_error_answer(error)
        except Exception as error:  # the last place where a bug can become an answer
            log.exception("bug", extra={"request_id": request_id, "path": request.path})
            response = answers.bug_answer(error, request_id)
        if not response.prepared:
            response.headers["x-request-id"] = request_id
            response.headers.update(extra)
        self._note(request, response, request_id, loop.time() - began)
        return response

    def _request_id(self, request: web.Request) -> str:
        given = request.headers.get("x-request-id", "")
        return given if _REQUEST_ID.fullmatch(given) else f"{self._rng.getrandbits(64):016x}"

    def _version(self, request: web.Request) -> dict[str, str]:
        client = request.headers.get("x-osmo-client-version")
        if client is None or request.path.startswith("/client/"):
            return {}
        return version_headers(client)

    def _caller(self, request: web.Request) -> Caller:
        if not self._dev:
            if request.path in OPEN:
                return Caller()
            raise Rejected("access.no_login", "No login is configured and dev access is off.", http_status=403)
        headers = request.headers
        user = headers.get(USER_HEADER, "")
        if user and not _USER.fullmatch(user):
            raise Rejected("user.bad_name", f"{USER_HEADER} is not a user name.")
        return Caller(
            user=user or DEV_USER,
            named=bool(user),
            roles=_listed(headers.get("x-osmo-roles")),
            allowed_pools=_listed(headers.get("x-osmo-allowed-pools")),
            token_name=headers.get("x-osmo-token-name", ""),
        )

    def _note(self, request: web.Request, response: web.StreamResponse, request_id: str, took_s: float) -> None:
        """Changes and failures are worth a line; successful reads are told at DEBUG, since writing a line costs half as much as answering one."""
        level = logging.DEBUG if request.method == "GET" and response.status < _FAILED else logging.INFO
        if not log.isEnabledFor(level):
            return
        caller = request.get(CALLER)
        log.log(
            level,
            "request",
            extra={
                "method": request.method,
                "path": request.path,
                "status": response.status,
                "ms": round(took_s * 1000, 2),
                "user": caller.user if caller else "",
                "request_id": request_id,
            },
        )


async def _collapsed(request: web.Request) -> tuple[web.Request, Handler]:
    """The request as if it had one leading slash, and what answers that."""
    path = "/" + request.raw_path.split("?", 1)[0].lstrip("/")
    twin = request.clone(rel_url=request.rel_url.with_path(path, encoded=True, keep_query=True))
    match = await request.app.router.resolve(twin)
    twin[PATH] = dict(match)
    return twin, match.handler


def _listed(header: str | None) -> tuple[str, ...]:
    return tuple(part for raw in header.split(",") if (part := raw.strip())) if header else ()
