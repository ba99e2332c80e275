"""`secrets.json` of a pod's directory: how secrets get from an agent to the pod's shim on one machine.

The agent that makes a pod may be gone before the shim stands, so a pipe would not do. The file is there from the first moment of the directory
until the shim has read it, which is a moment later; only its owner may read it or look into the directory. A pod that never gets a shim takes
it along when it is removed.
"""

import os
from pathlib import Path

import msgspec

from osmo_runtime.pod_secrets import NO_SECRETS, PodSecrets, decode_secrets, encode_secrets

_NAME = "secrets.json"


def write_secrets(pod: Path, secrets: PodSecrets) -> None:
    """Nothing is written where there are none."""
    if secrets == NO_SECRETS:
        return
    descriptor = os.open(pod / _NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(encode_secrets(secrets))


def read_secrets(pod: Path) -> PodSecrets:
    """Raises OSError where they cannot be read."""
    try:
        return decode_secrets((pod / _NAME).read_bytes())
    except FileNotFoundError:
        return NO_SECRETS
    except msgspec.DecodeError as error:
        raise OSError(0, f"{_NAME} cannot be read") from error


def forget_secrets(pod: Path) -> None:
    (pod / _NAME).unlink(missing_ok=True)
