"""A small real HTTP server that answers as the API does, and the command line run against it in a process of its own."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest


@dataclass
class Answer:
    """One answer to give. `body` is JSON unless it is bytes; `cut` announces more bytes than come."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


@dataclass
class FakeApi:
    """Answers in the order in which they were given for a path; the last one stays."""

    url: str = ""
    requests: list[Seen] = field(default_factory=list)
    answers: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)

    def on(self, method: str, path: str, *answers: Any) -> None:
        self.answers[method, path] = [each if isinstance(each, Answer) else Answer(each) for each in answers]

    def answer(
        self, body: Any, status: int = 200, *, headers: dict[str, str] | None = None, cut: bool = False
    ) -> Answer:
        return Answer(body, status, headers or {}, cut)

    def next(self, method: str, path: str) -> Answer:
        waiting = self.answers.get((method, path))
        if not waiting:
            return Answer({"detail": "Not Found"}, 404)
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def seen(self, method: str, path: str) -> list[Seen]:
        return [each for each in self.requests if (each.method, each.path) == (method, path)]


def _requests_of(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class OneRequest(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.serve()

        def do_POST(self) -> None:
            self.serve()

        def do_PATCH(self) -> None:
            self.serve()

        def do_DELETE(self) -> None:
            self.serve()

        def serve(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(raw) if raw else None
            seen = Seen(self.command, parts.path, parse_qs(parts.query), dict(self.headers), body)
            api.requests.append(seen)
            self.answer(api.next(self.command, parts.path))

        def answer(self, answer: Answer) -> None:
            data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.cut:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"%x\r\n%s\r\n5\r\nab" % (len(data), data))
                self.close_connection = True
                return
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return OneRequest


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that went away is part of some tests."""


@pytest.fixture
def api() -> Iterator[FakeApi]:
    fake = FakeApi()
    server = QuietServer(("127.0.0.1", 0), _requests_of(fake))
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config"


@dataclass
class Ran:
    code: int
    out: str
    err: str


Osmo = Callable[..., Ran]


@pytest.fixture
def nobody(config: Path, tmp_path: Path) -> Osmo:
    """Runs `osmo` as somebody who has never logged in."""

    def run(*arguments: str) -> Ran:
        environ = {**os.environ, "OSMO_CONFIG_FILE_DIR": str(config), "TZ": "UTC", "HOME": str(tmp_path)}
        ran = subprocess.run(
            [sys.executable, "-m", "osmo_cli", *arguments],
            env=environ,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    return run


@pytest.fixture
def osmo(nobody: Osmo, api: FakeApi) -> Osmo:
    """Runs `osmo`, logged in to the fake API as `ada`."""
    assert nobody("login", api.url, "--method", "dev", "--username", "ada").code == 0
    return nobody
