"""Secrets in config objects. The log keeps everything for ever, so it is given none; where one stands all the same, it is not shown."""

from typing import Any, Final

from osmo_domain.errors import Rejected

MASK: Final = "**********"
_SECRET: Final = frozenset({"access_key", "private_key", "slack_token", "password", "auth", "client_secret"})


def masked(value: Any) -> Any:
    """The value with every secret in it as stars."""
    if isinstance(value, dict):
        return {key: MASK if _is_secret(key, one) else masked(one) for key, one in value.items()}
    if isinstance(value, list):
        return [masked(one) for one in value]
    return value


def unmasked(value: Any, known: Any) -> Any:
    """The value with stars replaced by what is known in their place: what was shown may be sent back."""
    if isinstance(value, dict):
        below = known if isinstance(known, dict) else {}
        return {key: _unmask(key, one, below) for key, one in value.items()}
    if isinstance(value, list):
        below_list = known if isinstance(known, list) else []
        return [unmasked(one, below_list[n] if n < len(below_list) else None) for n, one in enumerate(value)]
    return value


def _unmask(key: str, value: Any, known: dict[str, Any]) -> Any:
    if key in _SECRET and value == MASK:
        return known.get(key, "")
    return unmasked(value, known.get(key))


def refuse_secrets(value: Any, path: str = "") -> None:
    """Refused with `config.secret`."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            refuse_secrets(one, f"{path}[{number}]")
    if not isinstance(value, dict):
        return
    for key, one in value.items():
        where = f"{path}.{key}".removeprefix(".")
        if _is_secret(key, one):
            raise Rejected(
                "config.secret",
                f"`{where}` is a secret, and the configuration keeps its history for ever: name a file or a Kubernetes Secret with "
                "`secret_file` or `secretName` instead.",
                path=where,
            )
        refuse_secrets(one, where)


def _is_secret(key: str, value: Any) -> bool:
    return key in _SECRET and isinstance(value, str) and bool(value)
