"""`osmo explain [path]`: what a key of a workflow means. Offline: the tables of the spec are part of the client."""

import argparse
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from osmo_cli.arguments import add_format
from osmo_cli.errors import UserError
from osmo_cli.output import say, say_json
from osmo_cli.session import Session

if TYPE_CHECKING:
    from osmo_domain.spec.explain import Topic

WIDTH = 100


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", nargs="?", default="", help="e.g. workflow.tasks.checkpoint; the whole file if left out"
    )
    add_format(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    import msgspec

    from osmo_domain.errors import Rejected
    from osmo_domain.spec.explain import explain

    try:
        topic = explain(session.args.path)
    except Rejected as error:
        raise UserError(error.message) from error
    if session.args.format_type == "json":
        say_json(msgspec.to_builtins(topic), indent=2)
    else:
        say("\n".join(_lines(topic)))
    return 0


def _lines(topic: "Topic") -> Iterator[str]:
    yield topic.path or "a workflow file"
    yield from _wrapped(topic.doc, "  ")
    yield ""
    yield f"  type:     {topic.type}"
    if topic.path:
        yield f"  default:  {topic.default}"
    if topic.rules:
        yield "  rules:"
        for rule in topic.rules:
            yield from _wrapped(rule, "    - ")
    if topic.keys:
        yield "  keys:"
        width = max(len(key.name) for key in topic.keys)
        for key in topic.keys:
            needed = " (required)" if key.default == "required" else ""
            yield from _wrapped(f"{key.doc}{needed}", f"    {key.name.ljust(width)}  ")
        yield ""
        yield f"  More: osmo explain {_plain(topic.path, topic.keys[0].name)}"


def _wrapped(text: str, start: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False)


def _plain(path: str, key: str) -> str:
    """The path as it is typed: what stands for numbers and free names is left out."""
    return f"{path}.{key}".replace("[]", "").replace(".<name>", "").lstrip(".")
