"""`osmo version`: of this client, and of the server where one answers."""

import argparse
from dataclasses import replace
from typing import Any

from osmo_cli.arguments import add_format
from osmo_cli.errors import CliError, ServerError
from osmo_cli.output import say, say_json
from osmo_cli.session import Session
from osmo_cli.version import CLIENT_VERSION, MAJOR, MINOR, REVISION


def configure(parser: argparse.ArgumentParser) -> None:
    add_format(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    service = _service(session)
    if session.args.format_type == "json":
        client = {"major": MAJOR, "minor": MINOR, "revision": REVISION, "hash": ""}
        say_json({"client": client, **({"service": service} if service else {})})
        return 0
    say(f"OSMO client version:  {CLIENT_VERSION}")
    if service:
        say(f"OSMO service version: {service['major']}.{service['minor']}.{service['revision']}")
    return 0


def _service(session: Session) -> dict[str, Any] | None:
    """The server's version; None where there is no login, no server, or it would rather not say."""
    try:
        client = replace(session.client(), send_version=False, attempts=1)
        found: dict[str, Any] = client.get("api/version")
    except ServerError as error:
        if error.status is not None:
            raise
        return None
    except CliError:
        return None
    return found
