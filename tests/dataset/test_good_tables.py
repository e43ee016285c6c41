"""Every table of the list of good ones is read, and its records say what the table says."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_tables import BAD
from good_tables import GOOD, Good

import pkpd.dataset
from pkpd.dataset import Dataset, check_dataset, read_dataset
from pkpd.dataset.report import report_json, report_text
from pkpd.dataset.write import write_nonmem


def by_name(good: Good) -> str:
    return good.name


def written(folder: Path, table: str) -> Path:
    path = folder / "table.csv"
    path.write_bytes((table.replace("|", "\n") + "\n").encode())
    return path


def same(found: pd.Series, wanted: list) -> bool:
    """Equal, None standing for missing; numbers to the last digit of a conversion."""
    if len(found) != len(wanted):
        return False
    if pd.api.types.is_numeric_dtype(found.dtype):
        expected = np.array([np.nan if value is None else value for value in wanted], dtype=float)
        return np.allclose(found.to_numpy(dtype=float), expected, rtol=1e-15, atol=0, equal_nan=True)
    return [None if pd.isna(value) else value for value in found] == wanted


def assert_same(one: Dataset, other: Dataset) -> None:
    """Equal in all that counts: the lines of the file and what was told may differ."""
    pd.testing.assert_frame_equal(one.records.drop(columns="row"), other.records.drop(columns="row"), check_exact=True)
    assert one.endpoints == other.endpoints
    assert one.covariates == other.covariates
    assert dict(one.units) == dict(other.units)
    assert one.compartments == other.compartments


def test_there_are_at_least_as_many_as_asked_and_none_twice():
    assert len(GOOD) >= 60
    assert len({good.name for good in GOOD}) == len(GOOD)


@pytest.mark.parametrize("good", GOOD, ids=by_name)
def test_a_good_table_is_read(good: Good, tmp_path: Path):
    check = check_dataset(written(tmp_path, good.table), good.said)
    assert check.dataset is not None, check.findings.text()
    assert len(check.dataset.doses) == good.doses
    assert len(check.dataset.observations) == good.observations
    assert good.told <= check.findings.codes, check.findings.text()
    for column, wanted in good.holds.items():
        assert same(check.dataset.records[column], wanted), check.dataset.records[column].tolist()


@pytest.mark.parametrize("good", GOOD, ids=by_name)
def test_a_good_table_is_reported(good: Good, tmp_path: Path):
    check = check_dataset(written(tmp_path, good.table), good.said)
    assert "0 errors" in report_text(check)
    plain = report_json(check)
    assert plain["ok"] is True
    json.dumps(plain, allow_nan=False)


@pytest.mark.parametrize("good", GOOD, ids=by_name)
def test_a_table_in_memory_is_read_like_its_file(good: Good, tmp_path: Path):
    """Parquet and DataFrames go another way than text up to the point where columns are numbers."""
    dataset = read_dataset(written(tmp_path, good.table), **good.said)
    text = write_nonmem(dataset, tmp_path / "written.csv")
    frame = pd.read_csv(text, na_values=["."])
    frame.to_parquet(tmp_path / "written.parquet")
    assert_same(dataset, read_dataset(tmp_path / "written.parquet"))


@pytest.mark.parametrize("good", GOOD, ids=by_name)
def test_what_is_written_reads_back_identically(good: Good, tmp_path: Path):
    dataset = read_dataset(written(tmp_path, good.table), **good.said)
    assert_same(dataset, read_dataset(write_nonmem(dataset, tmp_path / "written.csv")))


def codes_in_use() -> set[str]:
    rooms = Path(pkpd.dataset.__file__).parent.glob("*.py")
    source = "".join(path.read_text(encoding="utf-8") for path in rooms)
    return set(re.findall(r'"([EWI]-[A-Z0-9]+)"', source))


def test_every_code_has_a_table():
    """A rule that no table of these lists breaks is a rule nobody has seen work."""
    shown = {bad.code for bad in BAD} | {code for good in GOOD for code in good.told}
    elsewhere = {"E-FILE", "I-SIDECAR", "I-BLQ"}
    assert codes_in_use() - elsewhere == shown - elsewhere


def test_every_code_is_explained():
    page = Path(pkpd.dataset.__file__).parents[2] / "docs/data.md"
    if not page.exists():
        pytest.skip("the documentation is not installed with the package")
    assert set(re.findall(r"[EWI]-[A-Z0-9]+", page.read_text(encoding="utf-8"))) == codes_in_use()
