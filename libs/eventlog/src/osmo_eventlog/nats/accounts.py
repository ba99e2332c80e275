"""The part of nats-server's configuration that keeps agents to their own (see osmo_eventlog.agent_rights). Written by `osmo up`, and by whoever installs."""

import json
from typing import Final

from osmo_eventlog.agent_rights import AGENTS, SERVICES, SHARED, SHARED_STREAMING, SYSTEM

SERVICE_USER: Final = "osmo"
AUTH_WITHIN_S: Final = 3
KICK: Final = "$SYS.REQ.SERVER.*.KICK"
CONNECTIONS: Final = "$SYS.REQ.SERVER.PING.CONNZ"


def accounts_config(*, service_password: str, issuer: str) -> str:
    """Services come with user and password and may do everything; whoever comes with a token is asked about at the gateway."""
    user = f"{{ user: {SERVICE_USER}, password: {json.dumps(service_password)} }}"
    return f"""authorization {{
  timeout: {AUTH_WITHIN_S}
  auth_callout {{ issuer: {issuer}, auth_users: [ {SERVICE_USER} ], account: {SERVICES} }}
}}
system_account: {SYSTEM}
accounts {{
  {SYSTEM} {{
    exports: [
{_lines(_service(KICK, accounts=SERVICES), _service(CONNECTIONS, accounts=SERVICES, streaming=True))}
    ]
  }}
  {SERVICES} {{
    jetstream: enabled
    users: [ {user} ]
    exports: [
{_lines(*(_service(one, accounts=AGENTS) for one in SHARED), *(_service(one, accounts=AGENTS, streaming=True) for one in SHARED_STREAMING))}
    ]
    imports: [
{_lines(_import(SYSTEM, KICK), _import(SYSTEM, CONNECTIONS))}
    ]
  }}
  {AGENTS} {{
    imports: [
{_lines(*(_import(SERVICES, one) for one in (*SHARED, *SHARED_STREAMING)))}
    ]
  }}
}}
"""


def _service(subject: str, *, accounts: str, streaming: bool = False) -> str:
    many = ", response_type: stream" if streaming else ""
    return f'{{ service: "{subject}", accounts: [ {accounts} ]{many} }}'


def _import(account: str, subject: str) -> str:
    return f'{{ service: {{ account: {account}, subject: "{subject}" }} }}'


def _lines(*parts: str) -> str:
    return "\n".join(f"      {part}" for part in parts)
