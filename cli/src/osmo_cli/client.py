"""The REST API as commands use it: headers, query encoding, retries, and what each status means (reference api.md, 0.2 to 0.5)."""

import base64
import binascii
import http.client
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode, urljoin

from osmo_cli.errors import CliError, CredentialError, Place, ServerError, SubmissionError, UserError
from osmo_cli.http_call import Call, Lost, NotSent, exchange, read_all
from osmo_cli.version import CLIENT_VERSION, USER_AGENT

ATTEMPTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
BUSY = frozenset({413, 429, 503})

Param = str | int | bool | None | Sequence[str]
Params = Mapping[str, Param]


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks to one server as one person. `identity` gives the headers that say who; it may renew a token first."""

    url: str
    identity: Callable[[], Mapping[str, str]]
    attempts: int = ATTEMPTS
    send_version: bool = True
    pause: Callable[[float], None] = field(default=time.sleep)

    def get(self, path: str, params: Params | None = None) -> Any:
        return _json(read_all(self._send("GET", path, params)))

    def post(
        self, path: str, params: Params | None = None, body: object = None, *, idempotency_key: str | None = None
    ) -> Any:
        extra = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return _json(read_all(self._send("POST", path, params, body, extra=extra)))

    def patch(self, path: str, params: Params | None = None, body: object = None) -> Any:
        return _json(read_all(self._send("PATCH", path, params, body)))

    def text(self, path: str, params: Params | None = None) -> str:
        """An answer that is plain text, whole."""
        return read_all(self._send("GET", path, params)).decode("utf-8", "replace")

    def delete(self, path: str, params: Params | None = None) -> Any:
        return _json(read_all(self._send("DELETE", path, params)))

    def write(self, method: str, path: str, body: object) -> Any:
        """Any verb with a body. It is not repeated when the connection breaks."""
        return _json(read_all(self._send(method, path, None, body)))

    def stream(self, path: str, params: Params | None = None) -> http.client.HTTPResponse:
        """The open response of a text that may grow for as long as the workflow runs."""
        return self._send("GET", path, params, streaming=True)

    def _send(
        self,
        method: str,
        path: str,
        params: Params | None,
        body: object = None,
        *,
        extra: Mapping[str, str] | None = None,
        streaming: bool = False,
    ) -> http.client.HTTPResponse:
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*", "Content-Type": "application/json", **self.identity()}
        if self.send_version:
            headers["x-osmo-client-version"] = CLIENT_VERSION
        headers.update(extra or {})
        payload = json.dumps(body).encode() if body is not None else None
        if payload is None and method == "POST":
            headers["Content-Length"] = "0"
        url = f"{self.url}/{path.lstrip('/')}" + _query(params or {})
        call = Call(method, url, headers, payload, None if streaming else 60.0)
        response = self._answered(call, repeatable=method == "GET" or "Idempotency-Key" in headers)
        return _checked(response)

    def _answered(self, call: Call, *, repeatable: bool) -> http.client.HTTPResponse:
        """Send until there is an answer to act on. What may have been carried out is repeated only where that is harmless."""
        redirects = 0
        attempt = 1
        while True:
            last = attempt >= self.attempts
            try:
                response = exchange(call)
            except NotSent as error:
                raise ServerError(f"Cannot reach the server at {self.url}: {error}.{_hint(self.url)}") from error
            except Lost as error:
                if last or not repeatable:
                    raise ServerError(f"The server at {self.url} broke the connection: {error}.") from error
                attempt += 1
                self.pause(0.1 * attempt)
                continue
            wait_s = _retry_after(response) if repeatable and not last else None
            if wait_s is not None:
                response.close()
                attempt += 1
                self.pause(wait_s)
            elif response.status in REDIRECTS and redirects < ATTEMPTS and response.getheader("Location"):
                redirects += 1
                call = replace(call, url=urljoin(call.url, response.getheader("Location") or ""))
                response.close()
            else:
                return response


def _query(params: Params) -> str:
    """As the public CLI encodes: booleans as True and False, lists as repeated keys, None and empty lists left out."""
    pairs: list[tuple[str, str]] = []
    for key, value in params.items():
        if value is None:
            continue
        if isinstance(value, str | int):
            pairs.append((key, str(value)))
        else:
            pairs.extend((key, each) for each in value)
    return f"?{urlencode(pairs)}" if pairs else ""


def _retry_after(response: http.client.HTTPResponse) -> float | None:
    if response.status not in BUSY:
        return None
    try:
        return min(float(response.getheader("Retry-After") or ""), 60.0)
    except ValueError:
        return None


def _checked(response: http.client.HTTPResponse) -> http.client.HTTPResponse:
    """The response of a request that worked; every other status becomes the error that it stands for."""
    _show_warning(response.getheader("x-osmo-warning"))
    if response.status != 200:
        sys.stderr.write(f"Server responded with status code {response.status}\n")
    if response.status < 400:
        return response
    text = read_all(response).decode("utf-8", "replace")
    raise _error(response.status, text)


def _show_warning(encoded: str | None) -> None:
    if not encoded:
        return
    try:
        warning = base64.b64decode(encoded).decode()
    except (binascii.Error, UnicodeDecodeError):
        return
    sys.stderr.write(warning + "\n")


def _error(status: int, text: str) -> CliError:
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    found: Mapping[str, Any] = body if isinstance(body, dict) else {}
    if status >= 500:
        return ServerError(f"Server error {status}: {found.get('message', text.strip())}", status=status)
    if "error_code" not in found:
        return UserError(text, status=status)
    kinds: dict[str, type[CliError]] = {
        "USAGE": SubmissionError,
        "RESOURCE": SubmissionError,
        "CREDENTIAL": CredentialError,
    }
    kind = kinds.get(str(found["error_code"]), UserError)
    message, workflow_id = str(found.get("message", text)), found.get("workflow_id")
    return kind(message, status=status, workflow_id=workflow_id, place=_place(found))


def _place(body: Mapping[str, Any]) -> Place | None:
    line, column = body.get("line"), body.get("column")
    if not isinstance(line, int):
        return None
    return Place(line, column if isinstance(column, int) else None)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise ServerError(f"The server's answer is not JSON: {error}") from error


def _hint(url: str) -> str:
    if url.startswith(("http://127.0.0.1", "http://localhost")):
        return " Start a server on this machine with `osmo up`, or log in to another with `osmo login URL`."
    return ""
