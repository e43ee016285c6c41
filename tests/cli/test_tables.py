"""What the terminal shows, at several widths."""

import io
from dataclasses import replace

import numpy as np
import pytest
from fake_comparison import fake_comparison, only, renamed
from rich.console import Console

from pkpd.cli.tables import print_comparison
from pkpd.regimens.results import Comparison

TRIAL, DAILY, PLACEBO = "pss_nct02464319", "0.25 MIU sc qd x 84 d", "placebo"


def shown(comparison: Comparison, width: int) -> str:
    stream = io.StringIO()
    print_comparison(comparison, Console(file=stream, width=width, color_system=None))
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_fits(width: int) -> None:
    lines = shown(fake_comparison(), width).splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines), "nothing is cut off"


def test_a_hundred_columns_hold_everything() -> None:
    text = shown(fake_comparison(), 100)
    assert "A wider terminal" not in text
    for metric in ("il2_cmax_per_dose", "treg_peak", "treg_mean_treatment", "nk_peak", "selectivity"):
        estimate = fake_comparison().estimate(TRIAL, metric)
        assert estimate.value in text
        assert estimate.patients in text
        assert estimate.doubt in text
    assert "21\u00a0MIU, 21 inj." in text


def test_a_narrow_terminal_says_what_it_leaves_out() -> None:
    text = shown(fake_comparison(), 80)
    assert "A wider terminal also shows: IL-2 Cmax/dose IU/mL" in text
    assert fake_comparison().estimate(TRIAL, "treg_peak").patients in text


def test_missing_is_a_dash() -> None:
    line = next(line for line in shown(fake_comparison(), 100).splitlines() if line.startswith(PLACEBO))
    assert line.split()[1:] == ["–", "1.00", "–", "–", "1.00", "0", "1.00", "1"]


def test_uncertainty_that_was_not_computed_is_left_out() -> None:
    comparison = fake_comparison()
    moving = comparison.table["group"] != "Cost"  # what is given is known in any case
    blank = comparison.table.copy()
    blank.loc[moving, ["median_low", "median_high"]] = np.nan
    assert "How sure are the medians?" in shown(comparison, 100)
    assert "How sure are the medians?" not in shown(replace(comparison, table=blank), 100)


def test_names_are_not_markup() -> None:
    text = shown(renamed(only(fake_comparison(), TRIAL, PLACEBO), PLACEBO, "[red]x[/red]"), 100)
    assert "[red]x[/red]" in text
