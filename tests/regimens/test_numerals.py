"""Numbers as people read them."""

import math

import pytest

from pkpd.regimens.numerals import display, interval, number, suffix

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (NAN, "fold", "–"),
        (NAN, "%", "–"),
        (INF, "1", "∞"),
        (-INF, "1", "−∞"),
        (0.0, "IU/mL", "0"),
        (0.0, "%", "0"),
        (1.0, "fold", "1.00"),
        (1.0, "1", "1"),
        (21.0, "MIU", "21"),
        (12.376, "MIU", "12.4"),
        (1.5678, "fold", "1.57"),
        (0.98765, "fold", "0.99"),
        (0.01234, "IU/mL", "0.012"),
        (0.0000123, "IU/mL", "1e-05"),
        (142.8, "MIU", "143"),
        (1234567.0, "1", "1\u00a0234\u00a0567"),
        (37.6, "%", "38"),
        (-3.4, "%", "−3"),
        (-0.4, "%", "0"),
    ],
)
def test_number(value: float, unit: str, text: str) -> None:
    assert number(value, unit) == text


def test_a_missing_number_is_never_zero() -> None:
    assert number(NAN) != number(0.0)
    assert interval(NAN, 1.0) == interval(1.0, NAN) == "–"


def test_interval() -> None:
    assert interval(1.234, 5.678, "fold") == "1.23–5.68"
    assert interval(21.0, 21.0, "MIU") == "21"


def test_units() -> None:
    assert display("IU") == (1e6, "MIU")
    assert display("fold") == (1.0, "fold")
    assert suffix("fold") == "-fold"
    assert suffix("1") == ""
    assert suffix("IU/mL") == "\u00a0IU/mL"
