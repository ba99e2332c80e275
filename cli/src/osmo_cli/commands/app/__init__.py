"""`osmo app ...`: specs kept on the server under a name, in versions."""

import argparse

from osmo_cli.arguments import LazyParser, add_commands

COMMANDS = {
    "create": ("osmo_cli.commands.app.create", "keep a spec under a name"),
    "update": ("osmo_cli.commands.app.update", "add a version"),
    "info": ("osmo_cli.commands.app.info", "show an app and its versions"),
    "show": ("osmo_cli.commands.app.show", "show what an app is for and its parameters"),
    "spec": ("osmo_cli.commands.app.spec", "print the spec"),
    "list": ("osmo_cli.commands.app.listing", "list apps"),
    "delete": ("osmo_cli.commands.app.delete", "delete a version, or all of them"),
    "rename": ("osmo_cli.commands.app.rename", "give an app another name"),
    "submit": ("osmo_cli.commands.app.submit", "submit a workflow from an app"),
}


def configure(parser: LazyParser | argparse.ArgumentParser) -> None:
    assert isinstance(parser, LazyParser)
    parser.set_defaults(parser=parser)
    add_commands(parser, COMMANDS, title="commands")
