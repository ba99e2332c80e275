"""Labels of a workflow: the grammar of Kubernetes labels, at most sixteen."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from osmo_domain.errors import Rejected

MOST: Final = 16
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_DOMAIN: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")


def check_labels(labels: Mapping[str, str]) -> None:
    """Refused with `labels.too_many`, `labels.key` or `labels.value` where Kubernetes would not take them."""
    if len(labels) > MOST:
        raise _refused("labels.too_many", f"A workflow has at most {MOST} labels, and this one has {len(labels)}.")
    for key, value in labels.items():
        check_label(key, value)


def check_label(key: str, value: str) -> None:
    if not is_label_key(key):
        raise _refused("labels.key", f'"{key}" cannot be the key of a label (like team or example.com/team).')
    if not is_label_value(value):
        raise _refused(
            "labels.value",
            f'"{value}" cannot be the value of the label {key}: 1 to 63 letters, digits, "-", "_", ".", '
            "beginning and ending with a letter or digit.",
        )


def is_label_value(value: str) -> bool:
    return _NAME.fullmatch(value) is not None


def is_label_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and not (len(prefix) <= 253 and _DOMAIN.fullmatch(prefix)):
        return False
    return _NAME.fullmatch(name) is not None


def parse_label_options(options: Iterable[str]) -> dict[str, str]:
    """`key=value` as given with `--label`; later ones win."""
    labels: dict[str, str] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise _refused("labels.option", f'The label "{option}" has no "=": write key=value.')
        check_label(key, value)
        labels[key] = value
    return labels


def _refused(code: str, message: str) -> Rejected:
    return Rejected(code, message, error_code="USAGE")
