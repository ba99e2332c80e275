"""The runtime from the agent's settings."""

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from osmo_agent.kubernetes.cluster_settings import cluster_settings
from osmo_agent.kubernetes.ctrl_line import RouterLine
from osmo_agent.kubernetes.node_rules import AskedRules
from osmo_agent.kubernetes.runtime import KubernetesRuntime
from osmo_agent.settings import AgentSettings
from osmo_domain.errors import Rejected
from osmo_eventlog.ports import Requests
from osmo_kube import Rate, connect
from osmo_service.clock import Clock
from osmo_service.settings import BadSettings


@asynccontextmanager
async def open_kubernetes(
    settings: AgentSettings, requests: Requests, clock: Clock, rng: random.Random, environ: Mapping[str, str]
) -> AsyncIterator[KubernetesRuntime]:
    """Ends with a sentence where the configuration of the cluster cannot be used, or rights are missing there."""
    rate = Rate(settings.pods_at_once, settings.requests_per_s, burst=int(settings.requests_per_s))
    try:
        async with connect(settings.kubeconfig, settings.kube_context, rng=rng, rate=rate, environ=environ) as api:
            rules = AskedRules(requests, settings.backend)
            runtime = KubernetesRuntime(api, cluster_settings(settings), RouterLine(requests), rules, clock, rng)
            async with runtime.running():
                yield runtime
    except Rejected as refused:
        raise BadSettings(refused.message) from refused
