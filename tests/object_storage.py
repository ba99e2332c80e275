"""A real S3-compatible server (moto) as a process, its buckets and users, and a connection to it that can be cut, slowed and closed."""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import botocore.session
from botocore.config import Config

READY_WITHIN_S = 60.0
FIRST = {"access_key_id": "FIRSTKEYFIRSTKEY", "access_key": "first/secret+of=the-admin"}


@dataclass
class ObjectServer:
    """`start` begins with nothing in it, also after a `kill`. The port stays the same."""

    port: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.port = self.port or free_port()
        command = [sys.executable, "-c", _PROGRAM, str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < until:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/moto-api/data.json", timeout=5):
                return
            time.sleep(0.05)
        raise RuntimeError("the object server did not get ready")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self, service: str = "s3") -> Any:
        """The plain SDK, for looking at the server behind the back of what is tested."""
        return botocore.session.get_session().create_client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=FIRST["access_key_id"],
            aws_secret_access_key=FIRST["access_key"],
            config=Config(s3={"addressing_style": "path"}),
        )

    def make_bucket(self, name: str) -> None:
        self.client().create_bucket(Bucket=name)

    def keys(self, **more: str) -> dict[str, str]:
        """A payload for this server, of somebody who may do all as long as rights are not enforced."""
        return {**FIRST, "override_url": self.url, **more}

    def user(self, name: str, *actions: str) -> dict[str, str]:
        """A user who may do this everywhere; the payload of his keys."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
        }
        iam.put_user_policy(UserName=name, PolicyName="may", PolicyDocument=json.dumps(document))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return self.keys(access_key_id=made["AccessKeyId"], access_key=made["SecretAccessKey"])

    @contextlib.contextmanager
    def rights_enforced(self) -> Iterator[None]:
        """From now on only users may do things, and what they may."""
        self._reset_auth(0)
        try:
            yield
        finally:
            self._reset_auth(1 << 40)

    def _reset_auth(self, free_actions: int) -> None:
        request = urllib.request.Request(
            f"{self.url}/moto-api/reset-auth",
            data=str(free_actions).encode(),
            method="POST",
            headers={"Content-Type": "text/plain"},
        )
        with urllib.request.urlopen(request, timeout=5):
            pass


_PROGRAM = """
import sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
WSGIRequestHandler.protocol_version = "HTTP/1.1"
app = DomainDispatcherApplication(create_backend_app)
make_server("127.0.0.1", int(sys.argv[1]), app, threaded=True).serve_forever()
"""


@contextlib.contextmanager
def object_server() -> Iterator[ObjectServer]:
    server = ObjectServer()
    server.start()
    try:
        yield server
    finally:
        server.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class BadLine:
    """A TCP proxy before a server. `cut_after` breaks each of the next connections in the middle; `open` False lets nobody in;
    `bytes_per_s` slows all down; `silent` takes all and answers nothing."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.port = free_port()
        self.open = True
        self.silent = False
        self.cuts: list[int] = []
        """For each of the next connections: how many bytes of it come through, either way."""
        self.bytes_per_s = 0
        self.connections = 0
        self.bytes = 0
        """That came through, either way."""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> "BadLine":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Every connection that there is, now."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await self._serve_one(reader, writer)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        left = [self.cuts.pop(0) if self.cuts else 1 << 60]
        self._writers.add(writer)
        try:
            if not self.open:
                return
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(up_writer)
            back = asyncio.create_task(self._pass(up_reader, writer, left))
            self._tasks.add(back)
            try:
                await self._pass(reader, up_writer, left)
            finally:
                back.cancel()
                self._tasks.discard(back)
                up_writer.transport.abort()
                self._writers.discard(up_writer)
        except OSError:
            return
        finally:
            writer.transport.abort()
            self._writers.discard(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: list[int]) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                while self.silent:
                    await asyncio.sleep(0.05)
                piece = data[: left[0]]
                left[0] -= len(piece)
                self.bytes += len(piece)
                writer.write(piece)
                await writer.drain()
                if left[0] <= 0:
                    break
                if self.bytes_per_s:
                    await asyncio.sleep(len(piece) / self.bytes_per_s)
        writer.transport.abort()
