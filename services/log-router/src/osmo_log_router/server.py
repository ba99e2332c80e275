"""Sessions over WebSockets, and one question about health."""

import asyncio
import contextlib
import logging
import weakref

from aiohttp import WSCloseCode, WSMsgType, web

from osmo_api.ctrl import ENCODER, SUBPROTOCOL, ToCtrl
from osmo_log_router.attempt import parse_attempt
from osmo_log_router.over import REFUSED, SessionOver
from osmo_log_router.router import Router
from osmo_log_router.session import Send, Session, open_session

log = logging.getLogger("osmo.log_router.server")

HELLO_WITHIN_S = 30
HEARTBEAT_S = 20
LONGEST_FRAME = 4 * 1024 * 1024
LONGEST_REASON = 120
PATH = "/api/logger/workflow/{workflow}/osmo_ctrl/{task}/retry_id/{retry_id}"

_Sockets = weakref.WeakSet[web.WebSocketResponse]
_SOCKETS: web.AppKey[_Sockets] = web.AppKey("sockets")


class LogRouterServer:
    def __init__(self, router: Router) -> None:
        self._router = router

    def application(self) -> web.Application:
        app = web.Application()
        app[_SOCKETS] = weakref.WeakSet()
        app.router.add_get("/health", _health)
        app.router.add_get(PATH, self._connect)
        app.on_shutdown.append(_close_all)
        return app

    async def _connect(self, request: web.Request) -> web.WebSocketResponse:
        parts = request.match_info
        attempt = parse_attempt(parts["workflow"], parts["task"], parts["retry_id"])
        if attempt is None:
            raise web.HTTPBadRequest(text="no such workflow id, task name or attempt can exist")
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S,
            protocols=(SUBPROTOCOL,),
            compress=False,
            max_msg_size=LONGEST_FRAME,
            decode_text=False,
        )
        await socket.prepare(request)
        request.app[_SOCKETS].add(socket)
        try:
            async with open_session(self._router, attempt, _sender(socket)) as session:
                await _converse(socket, session)
        except SessionOver as over:
            log.info("closed", extra={"attempt": str(attempt), "why": over.reason})
            await socket.close(code=over.code, message=over.reason.encode()[:LONGEST_REASON])
        return socket


def _sender(socket: web.WebSocketResponse) -> Send:
    async def send(frame: ToCtrl) -> None:
        # Who is gone does not hear: what it missed it learns from the next Welcome.
        with contextlib.suppress(ConnectionError):
            await socket.send_frame(ENCODER.encode(frame), WSMsgType.TEXT)

    return send


async def _converse(socket: web.WebSocketResponse, session: Session) -> None:
    """Frame by frame, the next only when the last was taken: a slow log slows the sender down."""
    within_s: float | None = HELLO_WITHIN_S
    while True:
        try:
            message = await socket.receive(timeout=within_s)
        except TimeoutError as error:
            raise SessionOver(REFUSED, "no hello") from error
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return
        await session.receive_raw(message.data)
        within_s = None


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _close_all(app: web.Application) -> None:
    sockets: _Sockets = app[_SOCKETS]
    closing = [socket.close(code=WSCloseCode.GOING_AWAY, message=b"restarting") for socket in list(sockets)]
    await asyncio.gather(*closing)
