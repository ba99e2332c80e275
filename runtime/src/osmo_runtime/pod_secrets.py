"""The secret part of what a pod is to run. It travels apart from `pod.json`, and a `repr` of it shows no value."""

import re
from typing import Final

import msgspec
from msgspec import Struct, field


class SecretFile(Struct, frozen=True):
    """Only its owner may read it, and its text is put there as it is."""

    path: str
    contents: str

    def __repr__(self) -> str:
        return f"SecretFile({self.path!r})"


class PodSecrets(Struct, frozen=True, omit_defaults=True):
    """Variables and files for the user's command. The control container needs them to keep the values out of the log."""

    environment: dict[str, str] = field(default_factory=dict)
    files: tuple[SecretFile, ...] = ()
    storage: dict[str, dict[str, str]] = field(default_factory=dict)
    """Profile (`s3://bucket`) to keys (`access_key_id`, `access_key`, `region`, `override_url`, `addressing_style`), for URLs that the
    user wrote. For the control container, and for the `osmo` inside the task."""
    own_storage: dict[str, dict[str, str]] = field(default_factory=dict)
    """The same for data that tasks hand to each other. For the control container alone."""
    registries: tuple[dict[str, str], ...] = ()
    """Logins (`registry`, `username`, `auth`) for pulling the image. For the cluster alone."""

    def __repr__(self) -> str:
        return f"PodSecrets({[*self.environment, *(file.path for file in self.files)]})"

    def values(self) -> list[str]:
        """What must not be seen in a log."""
        keys = [*self.storage.values(), *self.own_storage.values()]
        stored = [each["access_key"] for each in keys if "access_key" in each]
        return [*self.environment.values(), *(file.contents for file in self.files), *stored]


NO_SECRETS: Final = PodSecrets()

_PLACE: Final = re.compile(r"\$\(osmo-secret:([^()]*)\)")


def place_of(variable: str) -> str:
    """What stands in a command for the value of a secret variable, until the command is started."""
    return f"$(osmo-secret:{variable})"


def with_values(words: tuple[str, ...], secrets: PodSecrets) -> tuple[str, ...]:
    """The words of a command with values in their places; a place of an unknown variable stays."""
    if not secrets.environment:
        return words

    def value(found: re.Match[str]) -> str:
        return secrets.environment.get(found[1], found[0])

    return tuple(_PLACE.sub(value, word) for word in words)


def encode_secrets(secrets: PodSecrets) -> bytes:
    return msgspec.json.encode(secrets)


def decode_secrets(data: bytes) -> PodSecrets:
    return msgspec.json.decode(data, type=PodSecrets)
