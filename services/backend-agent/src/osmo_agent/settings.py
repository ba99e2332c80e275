"""What an agent is told from outside: OSMO_* variables."""

from typing import Literal

from msgspec import Struct


class AgentSettings(Struct, frozen=True):
    """`state_dir` keeps what must outlive this process (a runtime's pods). Intervals are seconds; their defaults are the promised ones.

    `service_url` is where the `osmo` inside tasks finds this installation; where it is empty, tasks are not logged in.
    """

    backend: str = "default"
    runtime: Literal["process", "simulated", "kubernetes"] = "process"
    nats_url: str = "nats://127.0.0.1:4222"
    nats_ca_file: str = ""
    """Certificates that are trusted for `tls://` and `wss://`; empty = those of the system."""
    backend_token_file: str = ""
    """The agent's token, read again at every connect. Empty: the URL says who we are, and we may do everything there (development)."""
    state_dir: str = ""
    log_router_url: str = "http://127.0.0.1:8010"
    service_url: str = ""
    log_level: str = "INFO"
    simulated_nodes: str = "25x8"
    kubeconfig: str = ""
    """A file; empty = the pod's own service account where there is one, else the person's usual configuration."""
    kube_context: str = ""
    namespace: str = "osmo"
    """Where the agent makes everything; it must exist."""
    runtime_image: str = "osmo-runtime:latest"
    """What osmo-init and osmo-ctrl run, where the installation's WORKFLOW config names no images of its own."""
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    pods_at_once: int = 32
    """Requests to the API server under way at once."""
    requests_per_s: float = 400
    """Requests to the API server in a second, over time."""
    cluster_domain: str = "cluster.local"
    """What names of services end with in the cluster."""
    pod_grace_s: int = 30
    """What a pod that is told to end gets."""
    heartbeat_every_s: float = 10
    nodes_every_s: float = 10
    node_repeat_s: float = 600
    inventory_every_s: float = 30
    register_every_s: float = 3600
    commands_at_once: int = 256
    buffered_facts: int = 50_000
