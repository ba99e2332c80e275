"""Pods as processes of this machine: the embedded default. See `runtime` for the adapter, osmo_runtime.shim for what stands over a pod."""

from osmo_agent.process.options import ProcessOptions
from osmo_agent.process.runtime import ProcessRuntime

__all__ = ["ProcessOptions", "ProcessRuntime"]
