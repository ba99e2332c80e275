"""`osmo config set ROLE`: a role that may use one pool, or that an agent of one backend needs."""

import argparse
from typing import Any

from osmo_cli.commands.config.names import add_description, add_tags, said
from osmo_cli.output import say
from osmo_cli.session import Session

PREFIX = "osmo-"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config_type", choices=("ROLE",), type=str.upper, help="what to set")
    parser.add_argument("name", help="the role's name; for a pool, `osmo-` and the pool's name")
    parser.add_argument("kind", choices=("pool", "backend"), help="what the role is for")
    parser.add_argument("--field", metavar="NAME", help="the pool or backend (the role's name without `osmo-`)")
    add_description(parser)
    add_tags(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    target = args.field or args.name.removeprefix(PREFIX)
    role = {"name": args.name, "description": f"{args.kind} {target}", "policies": [policy(args.kind, target)]}
    description = args.description or f"Role {args.name} for {args.kind} {target}"
    body = {"configs": role, **said(args), "description": description}
    session.client().write("PUT", f"api/configs/role/{args.name}", body)
    say(f"Successfully set ROLE config {args.name}.")
    return 0


def policy(kind: str, target: str) -> dict[str, Any]:
    if kind == "pool":
        return {"effect": "Allow", "actions": ["workflow:*"], "resources": [f"pool/{target}"]}
    actions = ["internal:Operator", "pool:List", "config:Read"]
    return {"effect": "Allow", "actions": actions, "resources": [f"backend/{target}", "pool/*", "config/backend"]}
