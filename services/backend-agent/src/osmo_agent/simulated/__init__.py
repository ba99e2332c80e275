"""A cluster in memory: pods that take a scripted time and end with a scripted exit code, thousands at once.

`SimulatedCluster` is the cluster (a state that time moves on), `SimulatedRuntime` the agent's adapter to it, `Journal` what lets the
cluster outlive the process.
"""

from osmo_agent.simulated.cluster import SimulatedCluster
from osmo_agent.simulated.journal import Journal
from osmo_agent.simulated.nodes import parse_nodes
from osmo_agent.simulated.runtime import SimulatedRuntime

__all__ = ["Journal", "SimulatedCluster", "SimulatedRuntime", "parse_nodes"]
