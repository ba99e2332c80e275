"""What the contract suites share with other folders."""

from tests.cluster.fixtures import kubernetes

__all__ = ["kubernetes"]
