"""What a reviewer reads about a dataset: counts, calendars, shares, ranges."""

import pandas as pd
import pytest

from pkpd.dataset import Dataset, read_dataset
from pkpd.dataset.calendar import calendars
from pkpd.dataset.summary import in_lines, summarised

COLUMNS = ["ID", "TIME", "EVID", "AMT", "CMT", "ADDL", "II", "SS", "RATE", "DVID", "DV", "CENS", "WT", "SEX"]


def table(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS)


def dose(identity: int, time: float, amount: float = 1e6, addl: int = 0, ii: float = 0, **more: float) -> tuple:
    held = {"CMT": 1, "SS": 0, "RATE": 0, **more}
    weight = 70 + identity
    return (
        *(identity, time, 1, amount, held["CMT"], addl, ii, held["SS"], held["RATE"], None, None, 0, weight),
        "F" if identity % 2 else "M",
    )


def seen(identity: int, time: float, value: float, endpoint: str = "il2", cens: int = 0) -> tuple:
    return (identity, time, 0, 0, 2, 0, 0, 0, 0, endpoint, value, cens, 70 + identity, "F" if identity % 2 else "M")


@pytest.fixture
def dataset() -> Dataset:
    rows = []
    for identity in (1, 2, 3):
        rows += [dose(identity, 672 * cycle + 48 * nth) for cycle in range(2) for nth in range(7)]
    rows += [dose(4, 0, addl=6, ii=48), dose(4, 672, addl=6, ii=48)]
    rows += [seen(5, 0, 0.1)]
    rows += [seen(identity, 960, identity, "il2", int(identity == 2)) for identity in (1, 2, 3, 4)]
    rows += [seen(1, 961, 6.5, "treg")]
    frame = table(*rows)
    frame.loc[frame["ID"] == 3, "WT"] = None
    frame.loc[(frame["ID"] == 3) & (frame["TIME"] == 0), "WT"] = 73
    return read_dataset(
        frame,
        covariates={"WT": {"carry": "locf"}, "SEX": "categorical"},
        units={"TIME": "h", "AMT": "IU", "il2": "IU/mL"},
        allow_unsorted=True,
    )


def test_subjects_of_one_calendar_are_counted_together(dataset: Dataset):
    found = calendars(dataset)
    runs = "7 × 1e+06 IU into 1, every 2 d from 0 h; 7 × 1e+06 IU into 1, every 2 d from 28 d"
    assert [(one.subjects, one.example, one.doses) for one in found] == [
        (3, "1", runs),
        # Written with ADDL: another table, the same words.
        (1, "4", runs),
        (1, "5", "no dose"),
    ]


def test_doses_given_within_the_hour_share_a_calendar():
    rows = [dose(1, 0), dose(1, 47.8), seen(1, 50, 1), dose(2, 0.2), dose(2, 48.1), seen(2, 50, 1)]
    assert [one.subjects for one in calendars(read_dataset(table(*rows)))] == [2]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([dose(1, 0)], "1e+06 into 1 at 0 h"),
        ([dose(1, 0, RATE=2e5)], "1e+06 at 200000/h into 1 at 0 h"),
        ([dose(1, 0, RATE=-2)], "1e+06 duration from the model into 1 at 0 h"),
        ([dose(1, 0, ii=24, SS=1)], "1e+06 into 1 at steady state (SS 1, every 24 h) at 0 h"),
        ([dose(1, 0), dose(1, 0)], "2 × 1e+06 into 1 at 0 h"),
        ([dose(1, 0), dose(1, 24, 2e6)], "1e+06 into 1 at 0 h; 2e+06 into 1 at 1 d"),
        ([dose(1, nth**2, 1e6 + nth) for nth in range(10)], "10 doses of 1e+06 to 1e+06, 0 h to 81 h"),
        ([dose(1, 0, addl=9_999, ii=1)], "10000 doses of 1e+06 to 1e+06, 0 h to 9999 h"),
    ],
)
def test_doses_in_words(given: list[tuple], words: str):
    dataset = read_dataset(table(*given, seen(1, 1e5, 1)))
    assert [one.doses for one in calendars(dataset)] == [words]


def test_counts(dataset: Dataset):
    summary = summarised(dataset)
    assert (summary.subjects, summary.rows) == (5, 3 * 14 + 2 + 6)
    assert summary.records["doses"] == 44
    assert summary.records["observations"] == 6
    assert summary.records["of these below the limit"] == 1
    assert (summary.first_h, summary.last_h) == (0, 961)


def test_endpoints(dataset: Dataset):
    il2, treg = summarised(dataset).endpoints
    assert (il2.name, il2.unit, il2.observations, il2.subjects, il2.below) == ("il2", "IU/mL", 5, 5, 1)
    assert il2.share_below == pytest.approx(0.2)
    # The censored value, 2, is no measurement.
    assert (il2.low, il2.median, il2.high) == pytest.approx((0.1, 2.0, 4.0))
    assert (treg.name, treg.unit, treg.observations, treg.subjects) == ("treg", None, 1, 1)


def test_covariates(dataset: Dataset):
    weight, sex = summarised(dataset).covariates
    assert (weight.low, weight.median, weight.high) == (71, 73, 75)
    assert weight.missing == 14
    assert weight.varies == 0
    assert sex.levels == {"F": 3, "M": 2}


def test_a_covariate_that_changes_is_counted():
    rows = [list(dose(1, 0)), list(seen(1, 1, 5)), list(dose(2, 0)), list(seen(2, 1, 5))]
    rows[1][COLUMNS.index("WT")] = 80
    summary = summarised(read_dataset(table(*map(tuple, rows)), covariates=["WT"]))
    assert summary.covariates[0].varies == 1


def test_the_text_says_the_numbers(dataset: Dataset):
    text = "\n".join(in_lines(summarised(dataset)))
    for said in (
        "5 subjects, 50 rows",
        "44 doses",
        "il2 [IU/mL]: 5 observations of 5 subjects, 1 below the limit (20.0%)",
    ):
        assert said in text
    assert "WT, continuous covariate: 71 to 75, median 73; 14 cells missing" in text


def test_an_empty_endpoint_is_no_trouble():
    summary = summarised(read_dataset(table(dose(1, 0), seen(1, 1, float("nan"))), purpose="simulate"))
    assert summary.endpoints[0].low is None
    assert summary.endpoints[0].predictions == 1
