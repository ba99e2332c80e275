"""The argument tree. A command's module is imported when its own arguments are parsed, so that `osmo --help` imports none of them."""

import argparse
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from osmo_cli.statuses import PRIORITIES

Configure = Callable[["LazyParser"], None]


class LazyParser(argparse.ArgumentParser):
    """A parser whose arguments are declared by `configure` the first time that they are needed."""

    def __init__(self, *args: Any, configure: Configure | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **kwargs)
        self._configure = configure

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._configure is not None:
            configure, self._configure = self._configure, None
            configure(self)
        return super().parse_known_args(args, namespace)


def add_commands(parser: LazyParser, table: Mapping[str, tuple[str, str]], *, title: str) -> None:
    """Offer the commands of `table`: name to (module with `configure(parser)`, one line of help)."""
    commands = parser.add_subparsers(title=title, metavar="COMMAND", parser_class=LazyParser)
    for name, (module, help_text) in table.items():
        commands.add_parser(name, help=help_text, description=help_text, configure=_importing(module))


def _importing(module: str) -> Configure:
    def configure(parser: LazyParser) -> None:
        importlib.import_module(module).configure(parser)

    return configure


def add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-t", "--format-type", choices=("json", "text"), default="text", help="how to print the answer (text)"
    )


def add_set(parser: argparse.ArgumentParser) -> None:
    """`--set` and `--set-string`: values for a templated spec; each takes several and may be repeated."""
    for flag, help_text in (
        ("--set", "give a template variable a value: a number where it looks like one"),
        ("--set-string", "give a template variable a value that stays a string"),
    ):
        parser.add_argument(flag, nargs="+", action="extend", default=[], metavar="KEY=VALUE", help=help_text)


def add_label(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--label", action="append", default=[], metavar="KEY=VALUE", help="label the workflow; may be repeated"
    )


def positive(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def from_zero(text: str) -> int:
    """A whole number from 0."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number


def choices_help(values: Sequence[str]) -> str:
    return "{" + ",".join(values) + "}"


def add_filter(parser: argparse._ActionsContainer, *flags: str, **more: Any) -> None:
    """A filter that takes several values, and that adds to them where it is given again."""
    parser.add_argument(*flags, nargs="+", action="extend", default=[], **more)


def add_priority_filter(parser: argparse._ActionsContainer) -> None:
    add_filter(parser, "--priority", choices=PRIORITIES, metavar="PRIORITY", help="of these priorities")
