"""The table of estimates at several widths: no number is ever cut."""

import io

import pytest
from rich.console import Console

from pkpd.cli.parameters import _table

ROWS = [
    {
        "name": name,
        "estimate": 12.3456,
        "unit": unit,
        "se": 1.2345,
        "fixed": False,
        "rse_pct": 10.04,
        "ci_low": 10.123,
        "ci_high": 15.678,
        "cv_pct": 31.25,
        "shrinkage_pct": 9.6,
    }
    for name, unit in (("cl", "L/h"), ("omega_occasion.cl", ""), ("kin", "response/h"))
]


@pytest.mark.parametrize(
    ("width", "gone"),
    [(120, ""), (90, ""), (78, "CV %."), (64, "CV %, unit."), (58, "CV %, unit, SE.")],
)
def test_a_narrow_terminal_goes_without_columns_and_says_so(width: int, gone: str) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=width, color_system=None, force_terminal=True, markup=False)
    console.print(_table(ROWS, console))
    text = stream.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert text.count("12.35") == len(ROWS)
    assert text.count("9.6") == len(ROWS)
    assert (f"also show: {gone}" in " ".join(text.split())) == bool(gone)


def test_a_file_is_as_wide_as_the_table() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=40, color_system=None, markup=False)
    console.print(_table(ROWS, console))
    for number in ("12.35", "1.234", "10.0", "10.12 to 15.68", "31.2", "9.6", "response/h"):
        assert number in stream.getvalue()
