"""What an agent asks on the subject of its backend: nothing about anybody else's."""

from msgspec import Struct, field

from osmo_domain.credential_requests import FetchCredentials
from osmo_domain.requests import Refused


class AskNodeRules(Struct, frozen=True, omit_defaults=True, tag="ask_node_rules"):
    """What the backend's configuration says about conditions of nodes."""


class NodeRules(Struct, frozen=True, omit_defaults=True, tag="node_rules"):
    """As in osmo_domain.pool.Backend.node_conditions; empty where the backend is not configured (any more)."""

    rules: dict[str, str] = field(default_factory=dict)


AgentQuestion = FetchCredentials | AskNodeRules
NodeRulesAnswer = NodeRules | Refused
