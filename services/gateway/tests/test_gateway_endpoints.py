"""A handler gets what its annotations say, and is described by them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Struct

from osmo_gateway.http.answers import Answer, TextAnswer, json_answer, text_answer
from osmo_gateway.http.endpoints import Routes, endpoint_of
from osmo_gateway.http.params import BadRequest
from osmo_gateway.http.server import open_server


class Needed(Struct):
    name: str


class Filled(Struct):
    size: int = 3


class Asked(Struct):
    times: int = 1


routes = Routes()


@routes.get("/times")
async def times(request: web.Request, query: Asked) -> Answer[int]:
    return json_answer(query.times)


@routes.post("/needed")
async def needed(request: web.Request, body: Needed) -> Answer[str]:
    return json_answer(body.name)


@routes.put("/filled")
async def filled(request: web.Request, body: Filled) -> Answer[int]:
    return json_answer(body.size)


@routes.patch("/absent")
async def absent(request: web.Request, body: Needed | None) -> Answer[str | None]:
    return json_answer(body.name if body else None)


@routes.delete("/all/{name}")
async def everything(request: web.Request, query: Asked, body: Filled) -> TextAnswer:
    return text_answer(f"{query.times} {body.size} {request.match_info['name']}".encode())


@web.middleware
async def misshapen(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadRequest as error:
        return web.Response(status=422, text=str(error))


@asynccontextmanager
async def served() -> AsyncIterator[aiohttp.ClientSession]:
    app = web.Application(middlewares=[misshapen])
    app.add_routes([endpoint.route() for endpoint in routes])
    async with open_server(app, "127.0.0.1", 0) as url, aiohttp.ClientSession(url) as session:
        yield session


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("GET", "/times", b"", 200, "1"),
        ("GET", "/times?times=2", b"", 200, "2"),
        ("HEAD", "/times", b"", 200, ""),
        ("GET", "/times?times=two", b"", 422, "expected a whole number"),
        ("POST", "/needed", b'{"name": "n"}', 200, '"n"'),
        ("POST", "/needed", b"", 422, "a JSON body is required"),
        ("POST", "/needed", b"null", 422, "Expected `object`, got `null`"),
        ("PUT", "/filled", b'{"size": 4}', 200, "4"),
        ("PUT", "/filled", b"", 200, "3"),
        ("PATCH", "/absent", b'{"name": "n"}', 200, '"n"'),
        ("PATCH", "/absent", b"", 200, "null"),
        ("DELETE", "/all/me?times=5", b'{"size": 6}', 200, "5 6 me"),
    ],
)
async def test_a_handler_gets_what_it_asks_for(method: str, path: str, body: bytes, status: int, said: str) -> None:
    async with served() as session, session.request(method, path, data=body) as answer:
        assert (answer.status, await answer.text()) == (status, said)


def test_annotations_say_what_is_taken_and_answered() -> None:
    every = {one.path: one for one in routes}
    assert every["/times"].query is Asked
    assert every["/times"].body is None
    assert every["/times"].answers == (Answer[int],)
    assert every["/all/{name}"].answers == (TextAnswer,)
    needs = {path: one.body.needed for path, one in every.items() if one.body is not None}
    assert needs == {"/needed": True, "/filled": False, "/absent": False, "/all/{name}": False}


def test_a_handler_takes_nothing_that_no_endpoint_has() -> None:
    async def handler(request: web.Request, params: Asked) -> web.StreamResponse:
        return web.Response()

    with pytest.raises(TypeError, match="params"):
        endpoint_of("GET", "/", handler)


def test_a_query_has_no_types_that_a_query_cannot_have() -> None:
    class Deep(Struct):
        of: dict[str, int]

    async def handler(request: web.Request, query: Deep) -> web.StreamResponse:
        return web.Response()

    with pytest.raises(TypeError, match="parameter"):
        endpoint_of("GET", "/", handler)
