"""What an installation asks of the labels of workflows: which there must be, with which values, and how strictly."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from osmo_domain.errors import Rejected
from osmo_domain.labels import is_label_key

MOST_POLICIES: Final = 16
LONGEST_MESSAGE: Final = 256
LONGEST_PREFIX: Final = 253


class Enforcement(StrEnum):
    OFF = "off"
    WARN = "warn"
    ENFORCE = "enforce"


class LabelPolicy(Struct, frozen=True, omit_defaults=True):
    """One label that workflows shall have. An empty `allow_list` allows every value; `assert_message` is told to who breaks the policy."""

    key: str
    allow_list: tuple[str, ...] = ()
    enforcement: Enforcement = Enforcement.OFF
    assert_message: str = ""

    def complaint(self, labels: Mapping[str, str]) -> str | None:
        """What is wrong with these labels, whatever the enforcement; None where nothing is."""
        value = labels.get(self.key)
        if value is None:
            return self._said(f"The label {self.key} is missing.")
        if self.allow_list and value not in self.allow_list:
            return self._said(f"The label {self.key} is {value}, and may be {', '.join(self.allow_list)}.")
        return None

    def _said(self, text: str) -> str:
        return f"{text} {self.assert_message}".rstrip()


class LabelsConfig(Struct, frozen=True, omit_defaults=True):
    """`pod_label_prefix` stands before the keys of labels on pods; everywhere else keys are as users wrote them."""

    policy: tuple[LabelPolicy, ...] = ()
    pod_label_prefix: str = ""


def apply_policies(labels: Mapping[str, str], config: LabelsConfig) -> tuple[str, ...]:
    """Warnings about the labels of a submission. Refused with `labels.policy` or `labels.pod_key`, class USAGE."""
    for policy in config.policy:
        complaint = policy.complaint(labels) if policy.enforcement is Enforcement.ENFORCE else None
        if complaint is not None:
            raise Rejected("labels.policy", complaint, error_code="USAGE")
    for key in labels:
        if not is_label_key(config.pod_label_prefix + key):
            message = f"The label {key} cannot be put on pods: {config.pod_label_prefix}{key} is no label key."
            raise Rejected("labels.pod_key", message, error_code="USAGE")
    return label_warnings(labels, config)


def label_warnings(labels: Mapping[str, str], config: LabelsConfig) -> tuple[str, ...]:
    """What today's policies that only warn say of these labels."""
    complaints = (policy.complaint(labels) for policy in config.policy if policy.enforcement is Enforcement.WARN)
    return tuple(complaint for complaint in complaints if complaint is not None)


def check_labels_config(config: LabelsConfig) -> None:
    """Refused with `config.labels`, class USER, where a config cannot be kept."""
    for problem in _problems(config):
        raise Rejected("config.labels", problem)


def _problems(config: LabelsConfig) -> Iterable[str]:
    keys = [policy.key for policy in config.policy]
    if len(keys) > MOST_POLICIES:
        yield f"There are {len(keys)} label policies; {MOST_POLICIES} are allowed."
    for number, policy in enumerate(config.policy):
        if policy.key in keys[:number]:
            yield f"There are two policies for the label {policy.key}."
        if not is_label_key(policy.key):
            yield f'"{policy.key}" cannot be the key of a label.'
        if len(policy.assert_message) > LONGEST_MESSAGE or "\n" in policy.assert_message:
            yield f"The message of the policy for {policy.key} must be one line of at most {LONGEST_MESSAGE} characters."
    prefix = config.pod_label_prefix
    if len(prefix) > LONGEST_PREFIX or any(character.isspace() for character in prefix):
        yield f"The prefix of labels on pods must have at most {LONGEST_PREFIX} characters and no blanks."
