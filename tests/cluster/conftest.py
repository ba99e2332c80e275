"""The fixtures of this folder. Another folder's conftest.py imports them from tests/cluster/fixtures.py by name."""

import pytest
from tests.cluster.fixtures import home, kubernetes, namespace, node

__all__ = ["home", "kubernetes", "namespace", "node"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "containers: runs real containers on a real kubelet; wants root (make test-cluster)"
    )
