"""Whose keys a transfer uses."""

from osmo_runtime.pod_secrets import PodSecrets
from osmo_storage import StorageAccess


def access(secrets: PodSecrets, *, own: bool) -> StorageAccess:
    """`own`: to the installation's storage, for data between tasks; else to what the user named. Where there are no keys, the pod is whoever it is to
    its cloud."""
    return StorageAccess(secrets.own_storage if own else secrets.storage, ambient=True)
