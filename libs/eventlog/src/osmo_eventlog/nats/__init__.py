"""The NATS adapter: the ports of osmo_eventlog.ports on JetStream through nats-py. The only place in the house that imports nats."""

from osmo_eventlog.nats.connection import NatsConnection, connect
from osmo_eventlog.nats.login import AgentLogin
from osmo_eventlog.nats.topology import apply_streams

__all__ = ["AgentLogin", "NatsConnection", "apply_streams", "connect"]
