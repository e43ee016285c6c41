"""Observations below the limit handled in the data."""

import math
from pathlib import Path

import pytest

from pkpd.dataset import Dataset, read_dataset
from pkpd.dataset.blq import with_blq
from pkpd.errors import InputError

# Two endpoints whose rows alternate: a series of one is not broken by rows of the other.
TABLE = """ID,TIME,AMT,DV,DVID,CENS,LIMIT
1,0,100,.,.,0,.
1,1,0,2,a,1,.
1,1,0,7,b,0,.
1,2,0,9,a,0,.
1,3,0,2,a,1,0.5
1,3,0,8,b,1,.
1,4,0,2,a,1,.
1,5,0,2,a,1,.
1,6,0,9,a,-1,.
2,0,100,.,.,0,.
2,1,0,2,a,1,.
2,2,0,6,a,0,.
"""
BELOW = [1, 4, 5, 6, 7, 10]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return read_dataset(path)


@pytest.mark.parametrize(
    ("method", "values"),
    [
        ("M1", [math.nan] * 6),
        ("M5", [1, 1, 4, 1, 1, 1]),
        ("M6", [1, 1, 4, math.nan, math.nan, 1]),
        ("M7", [0, 0, 0, 0, 0, 0]),
    ],
)
def test_each_method(dataset: Dataset, method, values: list[float]):
    after = with_blq(dataset, method).records
    found = after["dv"].iloc[BELOW].tolist()
    assert found == pytest.approx(values, nan_ok=True)
    assert after["mdv"].iloc[BELOW].tolist() == [int(math.isnan(value)) for value in values]
    assert (after["cens"].iloc[BELOW] == 0).all()
    assert after["limit"].iloc[BELOW].isna().all()


@pytest.mark.parametrize("method", ["M1", "M5", "M6", "M7"])
def test_all_else_stays(dataset: Dataset, method):
    before, after = dataset.records, with_blq(dataset, method).records
    rest = [row for row in range(len(before)) if row not in BELOW]
    assert after.iloc[rest].equals(before.iloc[rest])
    assert after.drop(columns=["dv", "mdv", "cens", "limit"]).equals(
        before.drop(columns=["dv", "mdv", "cens", "limit"])
    )


def test_it_is_told_and_the_dataset_given_is_left_alone(dataset: Dataset):
    after = with_blq(dataset, "M6")
    assert "of 6 observations below the limit 4 are half the limit, 2 are not scored" in after.findings.text()
    assert "I-BLQ" not in dataset.findings.codes
    assert (dataset.records["cens"] == 1).sum() == 6


@pytest.mark.parametrize("method", ["M2", "M3", "M4", "m5", ""])
def test_likelihood_methods_change_no_data(dataset: Dataset, method):
    with pytest.raises(InputError, match="changes no data"):
        with_blq(dataset, method)


def test_zero_has_no_logarithm(tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    dataset = read_dataset(path, outputs={"a": {"value": "a", "scale": "log"}, "b": "b"})
    with pytest.raises(InputError, match="M7"):
        with_blq(dataset, "M7")
    assert with_blq(dataset, "M5").records["dv"].iloc[1] == 1
