"""`osmo config ...`: one module per command."""

import argparse

from osmo_cli.arguments import LazyParser, add_commands

COMMANDS = {
    "list": ("osmo_cli.commands.config.listing", "list the current revision of each type"),
    "show": ("osmo_cli.commands.config.show", "show config objects, now or at a revision"),
    "update": ("osmo_cli.commands.config.update", "change config objects, from a file or in your editor"),
    "set": ("osmo_cli.commands.config.set_role", "make a role that may use a pool or a backend"),
    "delete": ("osmo_cli.commands.config.delete", "delete a config object, or a revision"),
    "history": ("osmo_cli.commands.config.history", "show who changed what"),
    "diff": ("osmo_cli.commands.config.diff", "show what differs between two revisions"),
    "rollback": ("osmo_cli.commands.config.rollback", "go back to an earlier revision"),
    "tag": ("osmo_cli.commands.config.tag", "put tags on a revision, or take them off"),
}


def configure(parser: LazyParser | argparse.ArgumentParser) -> None:
    assert isinstance(parser, LazyParser)
    parser.set_defaults(parser=parser)
    add_commands(parser, COMMANDS, title="commands")
