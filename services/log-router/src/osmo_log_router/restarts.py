"""Restarts of commands that no agent can reach: asked of the log-router that holds the connection of the control container."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from osmo_api.ctrl import Action
from osmo_domain.requests import CtrlAnswer, Done, Refused, RestartCommand
from osmo_eventlog.ports import Requests
from osmo_eventlog.subjects import ctrl_questions
from osmo_log_router.attempt import Attempt

_QUESTION: Final = msgspec.json.Decoder(RestartCommand)
_ENCODER: Final = msgspec.json.Encoder()


async def serve_restarts(
    requests: Requests, attempt: Attempt, token: str, send: Callable[[Action], Awaitable[None]]
) -> None:
    """For as long as the conversation lasts. Whoever shows the attempt's own token may have its command restarted."""

    async def answer(data: bytes) -> bytes:
        return _ENCODER.encode(await _answer(data, attempt, token, send))

    subject = ctrl_questions(attempt.workflow_id, attempt.task, attempt.retry_id)
    async with requests.serve("ctrl", subject, answer):
        await asyncio.Event().wait()


async def _answer(data: bytes, attempt: Attempt, token: str, send: Callable[[Action], Awaitable[None]]) -> CtrlAnswer:
    try:
        question = _QUESTION.decode(data)
    except msgspec.DecodeError as error:
        return Refused("ctrl.bad_question", f"The question was not understood: {error}.")
    if question.retry_id != attempt.retry_id or not hmac.compare_digest(question.token.encode(), token.encode()):
        return Refused("ctrl.unproven", "The token does not belong to this attempt.", http_status=403)
    await send(Action("restart", restarts=question.restarts))
    return Done(str(attempt))
