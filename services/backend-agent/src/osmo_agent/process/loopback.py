"""The address of a task on this machine: its own one of the 127.0.0.0/8 that every Linux answers, so that tasks of a gang may use equal ports."""

import hashlib


def loopback_of(workflow_uuid: str, task: str) -> str:
    """The same for every attempt of a task; 16 million addresses, none of them 127.0.x.y."""
    first, second, third = hashlib.sha256(f"{workflow_uuid}/{task}".encode()).digest()[:3]
    return f"127.{first % 254 + 1}.{second}.{third % 254 + 1}"
