"""What the agent of one backend may do at the log's server, and how the accounts are laid out around it (docs/decisions/0010).

Services are at home in the account `SERVICES`, where the streams are. Agents are in `AGENTS`, which has none: a few subjects lead from there to the
services' account (`SHARED`), and each agent may use only those that hold its own name. Why two accounts: inside one, whoever may ask
anything may name any subject as the place for the answer, and the server would store the answer there.
"""

from typing import Final

from msgspec import Struct

from osmo_eventlog import subjects as s
from osmo_eventlog.streams import command_consumer

SERVICES: Final = "OSMO"
AGENTS: Final = "AGENTS"
SYSTEM: Final = "SYS"

_PULL: Final = f"$JS.API.CONSUMER.MSG.NEXT.{s.COMMANDS}"
_ACK: Final = f"$JS.ACK.{s.COMMANDS}"
_CTRL: Final = "osmo.rpc.ctrl.>"
"""`subjects.ctrl_questions` of any attempt: who asks shows the attempt's own token."""

SHARED: Final = (
    "osmo.cluster.>",
    s.agent_window("*"),
    s.agent_questions("*"),
    _CTRL,
    f"{_ACK}.>",
)
"""What leads from AGENTS to SERVICES and is answered once, or not at all."""
SHARED_STREAMING: Final = (f"{_PULL}.*",)
"""The same, answered many times."""

TOLD_KINDS: Final = ("pods", "node", "inventory", "heartbeat", "refused")
"""Kinds of facts that agents store by themselves. `registered` goes through the window, which decides whether the name is theirs."""


class Rights(Struct, frozen=True):
    """Subjects, as NATS patterns. What is not named is refused."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def rights_of(backend: str) -> Rights:
    durable = command_consumer(backend).durable
    return Rights(
        publish=(
            *(f"osmo.cluster.{backend}.{kind}.*" for kind in TOLD_KINDS),
            s.agent_window(backend),
            s.agent_questions(backend),
            _CTRL,
            f"{_PULL}.{durable}",
            f"{_ACK}.{durable}.>",
        ),
        subscribe=(f"{inbox_prefix(backend)}.>",),
    )


def inbox_prefix(backend: str) -> str:
    """Where this agent hears answers, and no other can."""
    return f"_INBOX.agent-{backend}"
