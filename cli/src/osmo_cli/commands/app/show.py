"""`osmo app show NAME[:VERSION]`: what it is for, and the parameters that `--set` takes."""

import argparse
import json
from typing import Any

from osmo_cli.commands.app.reference import app_reference
from osmo_cli.errors import UserError
from osmo_cli.output import say
from osmo_cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("app", type=app_reference, metavar="NAME[:VERSION]")
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    app, client = session.args.app, session.client()
    found = client.get(app.path, {"limit": 1, **app.params})
    parameters = _parameters(client.text(f"{app.path}/spec", app.params))
    say("DESCRIPTION")
    say(f"  {found['description']}")
    say()
    say("PARAMETERS")
    for name, value in parameters.items():
        say(f"  {name}: {value if isinstance(value, str) else json.dumps(value, default=str)}")
    if not parameters:
        say("  none")
    return 0


def _parameters(text: str) -> dict[str, Any]:
    from osmo_domain.errors import Rejected
    from osmo_domain.spec.sections import split_sections
    from osmo_domain.spec.variables import section_variables

    try:
        return section_variables(split_sections(text))
    except Rejected as error:
        raise UserError(f"The parameters of this app cannot be read: {error.message}") from error
