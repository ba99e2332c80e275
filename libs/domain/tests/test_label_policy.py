"""Policies of labels: what they ask, how strictly, and which configs of them can be kept."""

import pytest

from osmo_domain.errors import Rejected
from osmo_domain.label_policy import (
    Enforcement,
    LabelPolicy,
    LabelsConfig,
    apply_policies,
    check_labels_config,
    label_warnings,
)

TEAM = LabelPolicy("team", ("red", "blue"), Enforcement.ENFORCE, "Ask the helpdesk.")
COST = LabelPolicy("cost-center", enforcement=Enforcement.WARN)


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        ({"team": "red"}, None),
        ({}, "The label team is missing. Ask the helpdesk."),
        ({"team": "green"}, "The label team is green, and may be red, blue. Ask the helpdesk."),
        ({"Team": "red"}, "The label team is missing. Ask the helpdesk."),
    ],
)
def test_a_policy_asks_for_a_label_and_its_values(labels: dict[str, str], complaint: str | None) -> None:
    assert TEAM.complaint(labels) == complaint


def test_an_empty_list_allows_every_value() -> None:
    assert COST.complaint({"cost-center": "anything"}) is None


def test_what_is_enforced_refuses_and_what_warns_warns() -> None:
    config = LabelsConfig((COST, TEAM, LabelPolicy("quiet")))
    assert apply_policies({"team": "red"}, config) == ("The label cost-center is missing.",)
    assert apply_policies({"team": "red", "cost-center": "x"}, config) == ()
    with pytest.raises(Rejected) as refusal:
        apply_policies({}, config)
    assert (refusal.value.code, refusal.value.error_code) == ("labels.policy", "USAGE")


def test_warnings_alone_never_refuse() -> None:
    assert label_warnings({}, LabelsConfig((TEAM, COST))) == ("The label cost-center is missing.",)


def test_a_prefixed_key_must_be_a_label_key_too() -> None:
    assert apply_policies({"team": "red"}, LabelsConfig(pod_label_prefix="example.com/")) == ()
    with pytest.raises(Rejected) as refusal:
        apply_policies({"example.com/team": "red"}, LabelsConfig(pod_label_prefix="example.com/"))
    assert refusal.value.code == "labels.pod_key"


@pytest.mark.parametrize(
    "config",
    [
        LabelsConfig(tuple(LabelPolicy(f"k{n}") for n in range(17))),
        LabelsConfig((LabelPolicy("a"), LabelPolicy("a"))),
        LabelsConfig((LabelPolicy("not a key"),)),
        LabelsConfig((LabelPolicy("a", assert_message="x" * 257),)),
        LabelsConfig((LabelPolicy("a", assert_message="x\ny"),)),
        LabelsConfig(pod_label_prefix="a b"),
        LabelsConfig(pod_label_prefix="a" * 254),
    ],
)
def test_a_config_that_cannot_be_kept_is_refused(config: LabelsConfig) -> None:
    with pytest.raises(Rejected) as refusal:
        check_labels_config(config)
    assert refusal.value.code == "config.labels"


def test_a_good_config_is_kept() -> None:
    check_labels_config(LabelsConfig((TEAM, COST), "example.com/"))
