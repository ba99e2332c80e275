"""What the installation says about the pods of one cluster."""

from dataclasses import dataclass

from osmo_agent.settings import AgentSettings


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """`router_url` and `service_url` as pods reach them. `image` is that of the control and init containers where the configuration names none."""

    backend: str
    namespace: str
    router_url: str
    service_url: str = ""
    image: str = "osmo-runtime:latest"
    pull_policy: str = "IfNotPresent"
    domain: str = "cluster.local"
    grace_s: int = 30


def cluster_settings(settings: AgentSettings) -> ClusterSettings:
    return ClusterSettings(
        backend=settings.backend,
        namespace=settings.namespace,
        router_url=settings.log_router_url,
        service_url=settings.service_url,
        image=settings.runtime_image,
        pull_policy=settings.image_pull_policy,
        domain=settings.cluster_domain,
        grace_s=settings.pod_grace_s,
    )
