"""Pods in a Kubernetes cluster (docs/kubernetes.md). Imported only where an agent runs over one: it brings the cluster's client with it."""

from osmo_agent.kubernetes.opening import open_kubernetes
from osmo_agent.kubernetes.runtime import KubernetesRuntime

__all__ = ["KubernetesRuntime", "open_kubernetes"]
