"""Units of interleukin-2, time and body size: the figures of the product information, with the digits as printed."""

import doctest
import re

import numpy as np
import pytest

import pkpd.units
from pkpd.errors import InputError
from pkpd.units import SpecificActivity, convert, factor, specific_activity, to_iu

# value, unit, unit, what is printed, half a unit of its last digit
PRINTED = [
    (18, "MIU", "mg", 1.1, 1e-12),
    (1, "MIU", "ug", 61.1, 0.05),
    (1, "mg", "MIU", 16.4, 0.05),
    (1, "IU/mL", "pg/mL", 61.1, 0.05),
    (1, "IU/mL", "pM", 3.99, 0.005),
    (1, "nM", "IU/mL", 250, 0.5),
    (1, "nM", "IU/L", 2.5036e5, 5),
    (2.99, "pg/mL", "IU/mL", 0.049, 0.0005),
    (2.99, "pg/mL", "pM", 0.2, 0.05),
    (30, "pg/mL", "IU/mL", 0.5, 0.05),
    (0.0272, "nM", "IU/mL", 6.8, 0.05),
    (0.374, "nM", "IU/mL", 94, 0.5),
    (0.536, "nM", "IU/mL", 134, 0.5),
    (1.67, "nM", "IU/mL", 418, 0.5),
    (11, "pM", "IU/mL", 2.8, 0.05),
    (600_000, "IU/kg", "ug/kg", 36.7, 0.05),
]
# value, unit, unit, exact result
EXACT = [
    (15, "min", "h", 0.25),
    (90, "s", "min", 1.5),
    (14, "d", "h", 336),
    (12, "wk", "h", 2016),
    (0.26, "MIU/m2", "IU/m2", 260_000),
    (62.5, "kIU/m²", "MIU/m2", 0.0625),
    (1, "IU*h/mL", "IU*h/L", 1000),
    (2, "IU·h/mL", "IU h / mL", 2),
    (7.2, "L/h", "mL/min", 120),
    (1, "L/h/kg", "L/d/kg", 24),
    (3, "1/h", "1/d", 72),
    (1.62, "m", "cm", 162),
    (5, "µg", "ng", 5000),
]


@pytest.mark.parametrize(("value", "unit", "other", "printed", "half_a_digit"), PRINTED)
def test_printed_conversion(value: float, unit: str, other: str, printed: float, half_a_digit: float) -> None:
    assert convert(value, unit, other) == pytest.approx(printed, abs=half_a_digit, rel=0)


@pytest.mark.parametrize(("value", "unit", "other", "result"), EXACT)
def test_exact_conversion(value: float, unit: str, other: str, result: float) -> None:
    # One multiplication or division by a correctly rounded factor: at most one unit in the last place each.
    assert convert(value, unit, other) == pytest.approx(result, rel=3e-16)


@pytest.mark.parametrize(("value", "unit", "other"), [row[:3] for row in PRINTED + EXACT])
def test_there_and_back(value: float, unit: str, other: str) -> None:
    assert factor(unit, other) * factor(other, unit) == 1
    assert convert(convert(value, unit, other), other, unit) == pytest.approx(value, rel=5e-16)


def test_arrays_are_converted_element_by_element() -> None:
    np.testing.assert_array_equal(convert(np.array([15.0, 30.0]), "min", "h"), [0.25, 0.5])


def test_the_shipped_specific_activities_say_where_they_come_from() -> None:
    label, vial = specific_activity(), specific_activity("aldesleukin_vial")
    assert label.iu_per_mg == pytest.approx(16.4e6, abs=0.05e6)
    assert vial.iu_per_mg == pytest.approx(16.9e6, abs=0.05e6)
    assert label.molecular_weight == vial.molecular_weight == 15_300
    assert {label.status, vial.status} == {"verified"}
    assert "18 million IU (1.1 mg)" in label.source
    assert "22 million IU (1.3 mg)" in vial.source


def test_the_specific_activity_can_be_another() -> None:
    # Jacobson 1996 prints 187 500 to 250 000 IU/m2 as 12.5 to 16.7 ug/m2, which is 15 million IU a mg.
    own = SpecificActivity("of 1996", international_units=15e6, milligrams=1.0, molecular_weight=15_300.0)
    assert convert(187_500, "IU/m2", "ug/m2", own) == pytest.approx(12.5, rel=1e-15)
    assert convert(250_000, "IU/m2", "ug/m2", own) == pytest.approx(16.7, abs=0.05)
    assert to_iu(1.3, "mg", specific_activity("aldesleukin_vial")) == pytest.approx(22e6, rel=1e-15)
    assert to_iu(1.3, "mg") == pytest.approx(21.27e6, abs=0.005e6)


@pytest.mark.parametrize("wrong", [0.0, -1.1, float("nan"), float("inf")])
def test_a_specific_activity_is_a_positive_number(wrong: float) -> None:
    with pytest.raises(InputError, match=r"'mine': milligrams is .*; give a number greater than 0"):
        SpecificActivity("mine", 18e6, wrong, 15_300.0)


def test_an_unknown_specific_activity_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="'ilt101'; known: aldesleukin, aldesleukin_vial"):
        specific_activity("ilt101")


@pytest.mark.parametrize(
    ("unit", "other", "why"),
    [
        ("IU/m2", "IU", "interleukin-2 / body surface is not interleukin-2"),
        ("IU/kg", "1", "interleukin-2 / body weight is not a bare number"),
        ("kg", "mg", "body weight is not interleukin-2"),
        ("mg", "h", "interleukin-2 is not time"),
        ("IU*h/mL", "1/h", "interleukin-2 x time / volume is not 1 / time"),
        ("m2", "m*m", r"body surface is not height\^2"),
    ],
)
def test_incompatible_units_are_both_named(unit: str, other: str, why: str) -> None:
    with pytest.raises(InputError, match=f"^'{re.escape(unit)}' cannot be converted to '.*': {why}; give a unit of"):
        convert(1.0, unit, other)


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("mIU", "unknown unit 'mIU' in 'mIU'; known: IU, kIU, MIU"),
        ("IU/l", "unknown unit 'l' in 'IU/l'"),
        ("U/mL", "unknown unit 'U' in 'U/mL'"),
        ("", "'' is no unit"),
        ("IU//mL", "'IU//mL' is no unit"),
        ("IU**9**9**9", r"'IU\*\*9\*\*9\*\*9' is no unit"),
        ("__import__('os')", "is no unit"),
        ("2 IU", "'2 IU' is no unit"),
    ],
)
def test_what_is_no_unit_is_named(unit: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        convert(1.0, unit, "IU")


def test_the_examples_in_the_docstrings() -> None:
    found = doctest.testmod(pkpd.units)
    assert found.attempted >= 2
    assert found.failed == 0
