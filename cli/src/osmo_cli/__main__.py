"""Entry of `osmo`: parse, run one command, turn what went wrong into a message and an exit code."""

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from osmo_cli.arguments import LazyParser, add_commands
from osmo_cli.errors import INTERRUPTED, CliError

log = logging.getLogger("osmo.cli")

COMMANDS = {
    "login": ("osmo_cli.commands.login", "log in to a server"),
    "logout": ("osmo_cli.commands.logout", "forget the login"),
    "version": ("osmo_cli.commands.version", "show the versions of this client and of the server"),
    "up": ("osmo_cli.up.command", "run the whole of osmo on this machine"),
    "workflow": ("osmo_cli.commands.workflow", "submit workflows, follow and stop them"),
    "exec": ("osmo_cli.commands.not_yet", "short for `osmo workflow exec` (not in this release)"),
    "port-forward": ("osmo_cli.commands.not_yet", "short for `osmo workflow port-forward` (not in this release)"),
    "rsync": ("osmo_cli.commands.not_yet", "short for `osmo workflow rsync` (not in this release)"),
    "task": ("osmo_cli.commands.task", "list tasks"),
    "app": ("osmo_cli.commands.app", "keep specs on the server, and submit them"),
    "pool": ("osmo_cli.commands.pool", "list pools and their quotas"),
    "resource": ("osmo_cli.commands.resource", "list nodes and what is free on them"),
    "explain": ("osmo_cli.commands.explain", "what a key of a workflow file means"),
    "credential": ("osmo_cli.commands.credential", "keep secrets that workflows use"),
    "backend": ("osmo_cli.commands.backend", "register clusters, list them, change their tokens"),
    "config": ("osmo_cli.commands.config", "show and change the configuration of the installation"),
    "sim": ("osmo_cli.commands.sim", "replay a day of work through the scheduler, without a server"),
    "profile": ("osmo_cli.commands.profile", "show and change your settings"),
}
LOG_LEVELS = ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL", "FATAL")
SIGPIPE_EXIT = 141


def make_parser() -> LazyParser:
    parser = LazyParser(
        prog="osmo",
        description="Run workflows of container tasks on many clusters.",
        epilog="First time here? `osmo up` starts everything on this machine; then `osmo workflow submit examples/hello.yaml`.",
    )
    parser.add_argument(
        "--log-level", type=_log_level, default=logging.INFO, metavar="LEVEL", help="how much to log (INFO)"
    )
    add_commands(parser, COMMANDS, title="commands")
    return parser


def _log_level(text: str) -> int:
    if text.isdigit():
        return int(text)
    if text.upper() not in LOG_LEVELS:
        raise ValueError(text)
    return int(getattr(logging, text.upper()))


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """The exit code of one command line."""
    parser = make_parser()
    args = parser.parse_args(argv)
    logging.basicConfig(level=args.log_level, format="%(message)s")
    command = getattr(args, "run", None)
    if command is None:
        getattr(args, "parser", parser).print_help()
        return 0
    from osmo_cli.session import Session

    try:
        return int(command(Session(args, environ)) or 0)
    except CliError as error:
        _show(error, args)
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED


def _show(error: CliError, args: Any) -> None:
    from osmo_cli.output import show_error

    source, name = args.judged() if "judged" in args else ("", "")
    show_error(error, as_json=getattr(args, "format_type", "text") == "json", source=source, source_name=name)


def main() -> int:
    try:
        code = run(sys.argv[1:], os.environ)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has enough (`| head`): leave quietly, and let the interpreter's last flush go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SIGPIPE_EXIT
    except Exception:
        log.exception("osmo failed, and should not have")
        return CliError.exit_code
    return code


if __name__ == "__main__":
    sys.exit(main())
