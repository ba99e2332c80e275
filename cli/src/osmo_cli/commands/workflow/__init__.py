"""`osmo workflow ...`: one module per command."""

import argparse

from osmo_cli.arguments import LazyParser, add_commands

COMMANDS = {
    "submit": ("osmo_cli.commands.workflow.submit", "submit a workflow"),
    "validate": ("osmo_cli.commands.workflow.validate", "check a workflow without submitting it"),
    "list": ("osmo_cli.commands.workflow.listing", "list workflows"),
    "query": ("osmo_cli.commands.workflow.query", "show one workflow and its tasks"),
    "why": ("osmo_cli.commands.workflow.why", "show why a workflow waits, and what would start it now"),
    "logs": ("osmo_cli.commands.workflow.logs", "show the logs of a workflow, and follow them while it runs"),
    "events": ("osmo_cli.commands.workflow.events", "show what happened to a workflow"),
    "spec": ("osmo_cli.commands.workflow.spec", "show the spec that a workflow was made of"),
    "cancel": ("osmo_cli.commands.workflow.cancel", "stop workflows"),
    "restart": ("osmo_cli.commands.workflow.restart", "run again what failed of a workflow"),
    "exec": ("osmo_cli.commands.not_yet", "run a command in a task (not in this release)"),
    "port-forward": ("osmo_cli.commands.not_yet", "reach a port of a task (not in this release)"),
    "rsync": ("osmo_cli.commands.not_yet", "copy files to and from a task (not in this release)"),
    "tag": ("osmo_cli.commands.workflow.tag", "list tags, add and remove them"),
}


def configure(parser: LazyParser | argparse.ArgumentParser) -> None:
    assert isinstance(parser, LazyParser)
    parser.set_defaults(parser=parser)
    add_commands(parser, COMMANDS, title="commands")
