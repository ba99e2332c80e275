"""Quantities, durations and labels as people write them."""

import pytest

from osmo_domain.durations import parse_duration
from osmo_domain.errors import Rejected
from osmo_domain.labels import check_labels, is_label_key, parse_label_options
from osmo_domain.quantities import parse_quantity, show_bytes


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("1Gi", 2**30),
        ("1G", 2**30),
        ("1GiB", 2**30),
        ("1.5Mi", 3 * 2**19),
        ("2T", 2**41),
        ("7B", 7),
        ("2048m", 2),
        ("512", 512),
        (512, 512),
        (1.5, 1),
        ("0", 0),
    ],
)
def test_every_unit_is_binary(written: str | int | float, amount: int) -> None:
    assert parse_quantity(written) == amount


@pytest.mark.parametrize(
    "written", ["1GB", "lots", "", "-1Gi", "1 Gi", "1e3", ".5Gi", "1Gi ", "9" * 40, -1, 1e300, "1gi"]
)
def test_what_is_no_quantity_is_a_resource_error(written: str | int | float) -> None:
    with pytest.raises(Rejected) as refusal:
        parse_quantity(written)
    assert (refusal.value.code, refusal.value.error_code) == ("quantity.bad", "RESOURCE")


def test_bytes_are_shown_with_the_unit_that_leaves_a_short_number() -> None:
    assert [show_bytes(one) for one in (0, 12, 2**10 * 100, 3 * 2**29, 2**34, 2**41)] == [
        "0B",
        "12B",
        "100Ki",
        "1.5Gi",
        "16Gi",
        "2Ti",
    ]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (90, 90),
        (1.5, 1.5),
        ("90", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86400),
        ("250ms", 0.25),
        ("10us", 1e-5),
        ("1h30m", 5400),
        ("1.5d", 129600),
        ("P1D", 86400),
        ("PT2H30M", 9000),
        ("P1DT1.5S", 86401.5),
        (" 5s ", 5),
        (0, 0),
    ],
)
def test_durations_are_seconds(written: str | int | float, seconds: float) -> None:
    assert parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written",
    ["", "h", "1x", "1h 30m", "-5s", -5, "P", "PT", "P1", "1e9s", float("inf"), float("nan"), "9" * 15 + "d", "1w"],
)
def test_what_is_no_duration_is_a_usage_error(written: str | int | float) -> None:
    with pytest.raises(Rejected) as refusal:
        parse_duration(written)
    assert (refusal.value.code, refusal.value.error_code) == ("duration.bad", "USAGE")


@pytest.mark.parametrize(
    ("key", "good"),
    [
        ("team", True),
        ("example.com/team", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("", False),
        ("/team", False),
        ("Example.com/team", False),
        ("a/b/c", False),
        ("-a", False),
        ("x" * 254 + "/a", False),
    ],
)
def test_label_keys_are_those_of_kubernetes(key: str, good: bool) -> None:
    assert is_label_key(key) is good


def test_label_options_later_ones_win() -> None:
    assert parse_label_options(["a=1", "b=x", "a=2"]) == {"a": "2", "b": "x"}


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        ({f"k{number}": "v" for number in range(17)}, "labels.too_many"),
        ({"a b": "v"}, "labels.key"),
        ({"a": ""}, "labels.value"),
        ({"a": "x y"}, "labels.value"),
    ],
)
def test_bad_labels_are_refused(labels: dict[str, str], code: str) -> None:
    with pytest.raises(Rejected) as refusal:
        check_labels(labels)
    assert (refusal.value.code, refusal.value.error_code) == (code, "USAGE")


def test_a_label_option_needs_an_equals_sign() -> None:
    with pytest.raises(Rejected, match="key=value"):
        parse_label_options(["team"])
