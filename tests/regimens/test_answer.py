"""The answer in words says what the table says."""

import math
from dataclasses import replace

import numpy as np
import pytest
from fake_comparison import fake_comparison, only

from pkpd.regimens.answer import Change, answer, change, same_dose
from pkpd.regimens.results import Comparison

TRIAL, SPLIT, DAILY = (
    "pss_nct02464319",
    "0.5 MIU sc qd 14d on / 14d off x 3",
    "0.25 MIU sc qd x 84 d",
)


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return fake_comparison()


def test_same_total_dose_is_found(comparison: Comparison) -> None:
    assert same_dose(comparison) == (SPLIT, DAILY)
    assert same_dose(replace(comparison, reference="placebo")) == (), "placebo has no dose to share"


def test_numbers_are_those_of_the_table(comparison: Comparison) -> None:
    found = answer(comparison)
    rows = comparison.table.set_index(["regimen", "metric"])["median"]
    portrait, leaders = found.lead
    for metric in ("treg_peak", "treg_block_end", "treg_before_next", "treg_mean_treatment"):
        assert f"{rows[TRIAL, metric]:.2f}-fold" in portrait
    assert f"{rows[TRIAL, 'treg_time_above_1.3']:.0f}" in portrait
    assert "3 schedules with the same 21\u00a0MIU" in leaders
    first, second = found.detail[:2]
    for name, sentence in ((SPLIT, first), (DAILY, second)):
        assert f"({rows[name, 'treg_peak']:.2f} against {rows[TRIAL, 'treg_peak']:.2f}-fold)" in sentence


def test_who_leads_is_who_is_highest(comparison: Comparison) -> None:
    leaders = answer(comparison).lead[1]
    rows = comparison.table.set_index(["metric", "regimen"])["median"]
    best = rows["treg_peak"][[TRIAL, SPLIT, DAILY]].idxmax()
    assert best == SPLIT, "so that the test knows whom to expect"
    assert f"“{SPLIT}” has the highest Treg peak ({rows['treg_peak', SPLIT]:.2f}-fold)" in leaders
    assert f"{TRIAL} has the fewest injections (21)" in leaders


def test_a_missing_number_is_not_told() -> None:
    found = answer(only(fake_comparison(), DAILY, TRIAL))
    assert "before the next block" not in found.lead[0]
    assert "nan" not in " ".join([*found.lead, *found.detail])


def test_close_numbers_share_the_lead(comparison: Comparison) -> None:
    table = comparison.table.copy()
    peak = table["metric"].eq("treg_peak")
    table.loc[peak, "median"] = 2.0
    table.loc[peak & table["regimen"].eq(DAILY), "median"] = 2.05
    lead = answer(replace(comparison, table=table)).lead[1]
    assert f"{TRIAL}, “{SPLIT}” and “{DAILY}” share the highest Treg peak (2.00-fold and 2.05-fold)" in lead


def test_counts_are_shared_only_if_equal(comparison: Comparison) -> None:
    table = comparison.table.copy()
    count = table["metric"].eq("injections")
    table.loc[count, "median"] = 22.0
    table.loc[count & table["regimen"].eq(DAILY), "median"] = 21.0
    assert "the fewest injections (21)" in answer(replace(comparison, table=table)).lead[1]


def test_without_a_rival_of_the_same_dose_it_says_so() -> None:
    found = answer(only(fake_comparison(), TRIAL, "placebo"))
    assert "No other regimen here gives the reference's total dose" in found.lead[1]
    assert found.regimens == (TRIAL, "placebo")


def test_one_regimen_alone_has_a_portrait_and_no_leader() -> None:
    found = answer(only(fake_comparison(), TRIAL))
    assert len(found.lead) == 1


def test_uncertainty_that_was_not_computed_is_not_told(comparison: Comparison) -> None:
    blank = comparison.table.assign(median_low=np.nan, median_high=np.nan)
    assert len(answer(replace(comparison, table=blank)).detail) == len(answer(comparison).detail) - 1


def test_change_is_taken_within_each_patient(comparison: Comparison) -> None:
    values = comparison.profiles["metric_values"].sel(metric="treg_peak")
    ratio = values.sel(regimen=DAILY).values / values.sel(regimen=TRIAL).values
    found = change(comparison, DAILY, "treg_peak")
    np.testing.assert_allclose((found.low, found.median, found.high), np.quantile(ratio, (0.05, 0.5, 0.95)))
    points = change(comparison, DAILY, "treg_time_above_1.3")
    assert points.unit == "%"
    assert "points" in points.text


def test_change_of_what_does_not_exist_is_a_dash(comparison: Comparison) -> None:
    found = change(comparison, DAILY, "treg_before_next")
    assert math.isnan(found.median)
    assert (found.word, found.text) == ("–", "–")


@pytest.mark.parametrize(
    ("unit", "median", "word"),
    [
        ("fold", 1.04, "about the same"),
        ("fold", 0.96, "about the same"),
        ("fold", 1.06, "higher"),
        ("fold", 0.94, "lower"),
        ("%", 1.9, "about the same"),
        ("%", -2.1, "lower"),
        ("%", 2.1, "higher"),
    ],
)
def test_words_for_a_change(unit: str, median: float, word: str) -> None:
    assert Change(unit, median, median, median).word == word
