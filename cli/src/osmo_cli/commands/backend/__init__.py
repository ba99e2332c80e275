"""`osmo backend ...`: clusters that run workflows, and the tokens of their agents."""

import argparse

from osmo_cli.arguments import LazyParser, add_commands

COMMANDS = {
    "register": ("osmo_cli.commands.backend.register", "make a cluster known, and a file that installs its agent"),
    "list": ("osmo_cli.commands.backend.listing", "list clusters: whether they are there, and what they have"),
    "show": ("osmo_cli.commands.backend.show", "show one cluster and its tokens"),
    "rotate-token": ("osmo_cli.commands.backend.rotate_token", "make a new token; the old one is good for a while"),
    "revoke": ("osmo_cli.commands.backend.revoke", "make a token good for nothing, at once"),
    "delete": ("osmo_cli.commands.backend.delete", "forget a cluster"),
}


def configure(parser: LazyParser | argparse.ArgumentParser) -> None:
    assert isinstance(parser, LazyParser)
    parser.set_defaults(parser=parser)
    add_commands(parser, COMMANDS, title="commands")
