"""From what use-cases give back, or raise, to HTTP responses."""

from typing import Final, Generic, TypeVar

import msgspec
from aiohttp import web

from osmo_api.http import DetailAnswer, ErrorAnswer, ProblemsAnswer, ServerErrorAnswer
from osmo_domain.errors import Rejected, Transient
from osmo_gateway.http.params import BadRequest

T = TypeVar("T")

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"

_ENCODER: Final = msgspec.json.Encoder()


class Answer(web.Response, Generic[T]):
    """A response whose body is a T in JSON."""


class TextAnswer(web.Response):
    """A response whose body is text."""


def json_answer(body: T, *, status: int = 200, headers: dict[str, str] | None = None) -> Answer[T]:
    return Answer(body=_ENCODER.encode(body), status=status, content_type=JSON, headers=headers)


def text_answer(body: bytes) -> TextAnswer:
    return TextAnswer(body=body, headers={"Content-Type": TEXT})


def rejected_answer(error: Rejected, request_id: str) -> web.Response:
    body = ErrorAnswer(
        message=error.message + _place(error),
        error_code=error.error_code,
        workflow_id=error.workflow_id,
        code=error.code,
        line=error.line,
        column=error.column,
        path=error.path,
        request_id=request_id,
    )
    return json_answer(body, status=error.http_status)


def _place(error: Rejected) -> str:
    """Where it is, for clients that show nothing but the message."""
    if error.line is None:
        return ""
    return f" (line {error.line}, column {error.column})" if error.column is not None else f" (line {error.line})"


def bad_request_answer(error: BadRequest) -> web.Response:
    return json_answer(ProblemsAnswer(error.problems), status=422)


def too_large_answer(limit: int, request_id: str) -> web.Response:
    message = f"The request is larger than {limit // (1 << 20)} MiB."
    return rejected_answer(Rejected("request.too_large", message), request_id)


def unavailable_answer(error: Transient, request_id: str) -> web.Response:
    """Clients that may repeat a request do so after the time in Retry-After."""
    message = f"The service is not available right now, please try again: {error}"
    body = ServerErrorAnswer(message, "server.unavailable", request_id)
    return json_answer(body, status=503, headers={"Retry-After": str(max(1, round(error.delay_s)))})


def bug_answer(error: Exception, request_id: str) -> web.Response:
    message = f"Internal server error: {type(error).__name__} (request {request_id})"
    return json_answer(ServerErrorAnswer(message, "server.error", request_id), status=500)


def http_error_answer(error: web.HTTPException) -> web.Response:
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return json_answer(DetailAnswer(error.reason), status=error.status, headers=headers)
