"""`osmo up`: its flags."""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from osmo_cli.directories import state_dir
from osmo_cli.errors import UserError
from osmo_cli.session import Session
from osmo_cli.up.layout import LOOPBACK

if TYPE_CHECKING:
    from osmo_cli.up.nats_server import AgentDoor

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
NODES = re.compile(r"[1-9][0-9]*x[0-9]+")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = "Run the whole of osmo on this machine, with its own servers and tasks as processes. Ctrl-C ends it; tasks go on."
    parser.add_argument("--data-dir", type=Path, help="where everything is kept (the state directory of your user)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=_port, default=8000, help="port to listen on (8000)")
    parser.add_argument(
        "--simulated-nodes",
        type=_nodes,
        metavar="NODESxGPUS",
        help="add a pool `simulated`, e.g. 25x8: 25 nodes with 8 GPUs",
    )
    parser.add_argument(
        "--agents-listen",
        type=_listen,
        metavar="HOST:PORT",
        help="also let agents of other clusters in, over WebSocket on this address (not at all)",
    )
    parser.add_argument(
        "--agents-cert",
        type=Path,
        metavar="FILE",
        help="certificate for --agents-listen (PEM); without it tokens pass in the clear",
    )
    parser.add_argument("--agents-key", type=Path, metavar="FILE", help="its private key (PEM)")
    parser.add_argument(
        "--log-level", dest="service_log_level", choices=LOG_LEVELS, default="INFO", help="how much services log (INFO)"
    )
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    from osmo_cli.up.run import Options, up

    args, environ = session.args, session.environ
    if args.host not in LOOPBACK:
        raise UserError(
            f"--host {args.host} is not this machine alone. `osmo up` lets in whoever reaches it, under any name: it listens on 127.0.0.1 only."
        )
    door = _door(args, environ)
    chosen = args.data_dir or state_dir(environ) / "up"
    return up(
        Options(
            data_dir=chosen.expanduser().resolve(),
            host="127.0.0.1" if args.host == "localhost" else args.host,
            port=args.port,
            log_level=args.service_log_level,
            simulated_nodes=args.simulated_nodes,
            nats_url=environ.get("OSMO_NATS_URL") or None,
            database_url=environ.get("OSMO_DATABASE_URL") or None,
            environ=environ,
            door=door,
        )
    )


def _door(args: argparse.Namespace, environ: Mapping[str, str]) -> "AgentDoor | None":
    from osmo_cli.up.nats_server import AgentDoor

    files = [path for path in (args.agents_cert, args.agents_key) if path is not None]
    if args.agents_listen is None:
        if files:
            raise UserError("--agents-cert and --agents-key belong to --agents-listen.")
        return None
    if environ.get("OSMO_NATS_URL"):
        raise UserError("--agents-listen is for the NATS server of `osmo up`, and OSMO_NATS_URL names another.")
    if len(files) == 1:
        raise UserError("--agents-cert and --agents-key belong together.")
    for path in files:
        if not path.is_file():
            raise UserError(f"There is no file {path}.")
    return AgentDoor(*args.agents_listen, *(path.resolve() for path in files))


def _listen(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is not like 0.0.0.0:4443")
    return host.strip("[]"), _port(port)


def _port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError("a port is 1 to 65535")
    return number


def _nodes(text: str) -> str:
    if not NODES.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text} is not like 25x8")
    return text
