"""`osmo backend register NAME`: the agent's token, and one line that installs it."""

import argparse
from pathlib import Path

from osmo_cli.arguments import add_format
from osmo_cli.commands.backend.paths import backend_path
from osmo_cli.commands.backend.secret_file import check_writable, write_secret
from osmo_cli.output import say, say_json
from osmo_cli.session import Session

ADDRESSES = {
    "nats_url": ("--nats-url", "where the cluster finds NATS: tls://HOST:PORT or wss://HOST"),
    "log_router_url": ("--log-router-url", "where its tasks find log-router"),
    "service_url": ("--service-url", "where `osmo` inside tasks finds this service"),
    "service_image": ("--service-image", "the image of the agent"),
    "runtime_image": ("--runtime-image", "the image of osmo-init and osmo-ctrl"),
    "namespace": ("--namespace", "where the agent and all tasks run (osmo)"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "What is left out of the addresses is as the installation has it."
    parser.add_argument("name", help="the backend's name: lower-case letters, digits and hyphens")
    parser.add_argument("--description", default="", help="what people should know of it")
    for name, (flag, help_text) in ADDRESSES.items():
        parser.add_argument(flag, dest=name, default="", help=help_text)
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write the file (osmo-agent-NAME.yaml)")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    add_format(parser)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    args = session.args
    as_json = args.format_type == "json"
    file = args.out or Path(f"osmo-agent-{args.name.replace('/', '-')}.yaml")
    if args.out or not as_json:
        check_writable(file, force=args.force)
    given = {name: value for name in ("description", *ADDRESSES) if (value := getattr(args, name))}
    found = session.client().write("POST", backend_path(args.name), given)
    if args.out or not as_json:
        write_secret(file, found["manifest"])
    if as_json:
        say_json(found)
        return 0
    say(f"Backend {args.name} is registered. Its agent's token, which is shown only now:\n")
    say(f"  {found['token']}\n")
    say("Install the agent in the cluster (the file has the token in it):\n")
    say(f"  kubectl apply -f {file}\n")
    say(f"Then `osmo backend show {args.name}` says ONLINE, and pools may name it.")
    return 0
