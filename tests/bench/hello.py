"""The HTTP stack alone: what any server on it can reach at most. `python -m tests.bench.hello PORT`."""

import sys

import uvloop
from aiohttp import web


async def _hello(_: web.Request) -> web.Response:
    return web.Response(body=b'{"status":"OK"}', content_type="application/json")


async def _serve(port: int) -> None:
    app = web.Application()
    app.router.add_get("/", _hello)
    await web._run_app(app, host="127.0.0.1", port=port, print=lambda *_: None, access_log=None)


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
