"""The description of this API."""

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from osmo_gateway.http.answers import JSON, Answer
from osmo_gateway.http.endpoints import Routes

routes = Routes()

DOCUMENT: Final[web.AppKey[Callable[[], bytes]]] = web.AppKey("document")


@routes.get("/api/openapi.json")
async def openapi(request: web.Request) -> Answer[dict[str, Any]]:
    """This document."""
    return Answer(body=request.app[DOCUMENT](), content_type=JSON)
