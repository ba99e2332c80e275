"""`osmo config show`: config objects as JSON, whole or a part of them, now or at a revision."""

import argparse
from typing import Any

from osmo_cli.commands.config.names import reference, revision_of
from osmo_cli.errors import UserError
from osmo_cli.output import say_json
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config_type", type=reference, metavar="TYPE[:REVISION]", help="what to show")
    parser.add_argument("names", nargs="*", metavar="KEY", help="the way to a part of it: an object, then its keys")
    parser.add_argument("-v", "--verbose", action="store_true", help="with all that follows from it (POOL)")
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    if args.verbose and args.config_type.kind != "POOL":
        raise UserError("--verbose is for POOL.")
    if args.config_type.revision is not None:
        found = revision_of(session.client(), args.config_type.kind, args.config_type.revision)["data"]
    else:
        found = session.client().get(args.config_type.path, {"verbose": True if args.verbose else None})
    say_json(part_of(opened(found), args.names))
    return 0


def opened(found: Any) -> Any:
    """The objects by their names, whatever they came in."""
    if isinstance(found, dict) and set(found) in ({"backends"}, {"pools"}):
        found = next(iter(found.values()))
    if isinstance(found, list) and found and all(isinstance(one, dict) and "name" in one for one in found):
        return {one["name"]: one for one in found}
    return found


def part_of(found: Any, names: list[str]) -> Any:
    for number, name in enumerate(names):
        way = " ".join(names[: number + 1])
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            there = (
                ", ".join(found)
                if isinstance(found, dict)
                else f"a list of {len(found)}"
                if isinstance(found, list)
                else "a value"
            )
            raise UserError(f"There is no {way}; there is {there or 'nothing'}.")
    return found
