"""Files that are no tables, and tables at the edge of what is read."""

import csv
import hashlib
import time
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkpd.dataset import DataError, check_dataset, read_dataset, text
from pkpd.dataset.text import LARGEST_COLUMNS
from pkpd.errors import InputError

TABLE = "ID,TIME,AMT,DV\n1,0,100,.\n1,1,0,5\n"

NOT_TABLES = {
    "a workbook": b"PK\x03\x04" + b"\x00" * 50,
    "an old workbook": b"\xd0\xcf\x11\xe0" + b"\x00" * 50,
    "gzip": b"\x1f\x8b\x08\x00abc",
    "UTF-16": TABLE.encode("utf-16"),
    "latin-1": "ID,TIME,DV\n1,0,5 µg\n".encode("latin-1"),
    "NUL bytes": b"ID,TIME,DV\n1,0,\x005\n",
    "a web page": b"<!DOCTYPE html><html><body>log in</body></html>",
    "PDF": b"%PDF-1.7 ...",
}


@pytest.mark.parametrize("content", NOT_TABLES.values(), ids=NOT_TABLES.keys())
def test_what_is_no_table_is_said(content: bytes, tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    check = check_dataset(path)
    assert check.findings.codes == {"E-FILE"}
    assert check.dataset is None


def test_the_line_that_is_not_utf8_is_named(tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"ID,TIME,DV\n1,0,5\n1,1,\xb5\n")
    assert "line 3" in check_dataset(path).findings.text()


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(DataError, match=r"cannot read .*absent\.csv"):
        read_dataset(tmp_path / "absent.csv")


def test_a_folder_is_no_table(tmp_path: Path):
    with pytest.raises(DataError, match="E-FILE"):
        read_dataset(tmp_path)


def test_the_folder_one_stands_in_is_no_table():
    """It has no name, to which a description could belong."""
    check = check_dataset(Path())
    assert check.findings.codes == {"E-FILE"}
    assert check.source == "."


CELLS = st.lists(st.sampled_from([*'",,,; ;\t\n #1aé', '"b",', ',"c d"', ' "e" ', '""', "  "]), max_size=25)


@given(cells=CELLS, separator=st.sampled_from([",", ";", "\t", " "]))
@settings(max_examples=400, derandomize=True)
def test_the_quick_way_to_plain_cells_is_the_slow_one(cells: list[str], separator: str):
    """Quotes and padding are taken off the bytes where the csv module would find the same cells."""
    body = "".join(cells) + "\n"
    quick = text._without_needless_quotes(body.encode(), separator)
    if b'"' in quick or (separator == " " and not quick.isascii()):
        return
    if b" " in quick or separator == " ":
        quick = text._without_padding(quick, separator)
    slow = text._plainly(body, separator).replace(text.PLAIN, separator)
    # A tab around a cell is only taken off when the cell is read.
    strip = (lambda cell: cell.strip("\t ")) if separator in ",;" else str
    assert [list(map(strip, line.split(separator))) for line in quick.decode().split("\n")] == [
        list(map(strip, line.split(separator))) for line in slow.split("\n")
    ]


def test_text_called_parquet(tmp_path: Path):
    path = tmp_path / "table.parquet"
    path.write_text(TABLE)
    assert check_dataset(path).findings.codes == {"E-FILE"}


def test_a_damaged_parquet_file_is_a_finding_or_still_a_table(tmp_path: Path):
    path = tmp_path / "table.parquet"
    pd.DataFrame({"ID": ["a", "a"], "TIME": [0.0, 1.0], "AMT": [9, 0], "DV": [None, 5.0]}).to_parquet(path)
    whole, rng, broken = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(bytes(damaged)[: rng.integers(len(whole)) if rng.random() < 0.2 else len(whole)])
        broken += check_dataset(path).dataset is None
    assert broken > 50


def test_a_parquet_file_that_is_not_there_is_said_to_be_absent(tmp_path: Path):
    (tmp_path / "folder.parquet").mkdir()
    for name, reason in (("absent.parquet", "No such file"), ("folder.parquet", "directory")):
        (finding,) = check_dataset(tmp_path / name).findings.of("error")
        assert (finding.code, reason in finding.what) == ("E-FILE", True)


def test_a_date_that_cannot_be_read_is_shown_beside_its_time(tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_text("ID,DATE,TIME,AMT,DV\n1,2024-03-01,08:00,9,.\n1,01/03/2024,09:00,.,5\n1,2024-03-01,10:00,.,4\n")
    (finding,) = check_dataset(path, {"date": "DATE"}).findings.of("error")
    assert (finding.code, finding.row, finding.value) == ("E-VALUE", 3, "01/03/2024 09:00")


def test_without_evid_an_unreadable_amount_is_neither_a_dose_nor_an_observation(tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_text("ID;TIME;AMT;DV\n1;0;1,5;.\n1;1;.;5\n1;2;.;4\n")
    findings = check_dataset(path).findings
    assert [(finding.code, finding.row) for finding in findings.of("error")] == [("E-VALUE", 2)]
    assert "I-PREDICTION" not in findings.codes
    told = next(breach for breach in findings.breaches if breach.code == "I-EVID")
    assert "0 rows with an AMT are doses, 2 are observations, 1 with an unreadable AMT" in told.what


def test_parquet_and_frames_are_read_like_text(tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    frame = pd.read_csv(path, na_values=["."])
    frame.to_parquet(tmp_path / "table.parquet")
    text, parquet, memory = (read_dataset(source) for source in (path, tmp_path / "table.parquet", frame))
    pd.testing.assert_frame_equal(parquet.records, memory.records)
    # The header of a text file is a line of it; the rows of a table in memory are counted from 1.
    assert text.records["row"].tolist() == [2, 3]
    assert memory.records["row"].tolist() == [1, 2]
    pd.testing.assert_frame_equal(text.records.drop(columns="row"), memory.records.drop(columns="row"))


def test_a_frame_of_many_types():
    frame = pd.DataFrame(
        {
            "ID": pd.Categorical(["a", "a", "b", "b"]),
            "TIME": pd.array([0, 1, 0, 1], dtype="Int64"),
            "AMT": pd.array([100, None, 100, None], dtype="Float64"),
            "DV": [None, 5.0, np.nan, 4.0],
            "SEX": pd.Categorical(["F", "F", "M", "M"]),
            "GOOD": [True, True, False, False],
        }
    )
    dataset = read_dataset(frame, covariates=["SEX", "GOOD"])
    assert dataset.records["SEX"].tolist() == ["F", "F", "M", "M"]
    assert dataset.records["GOOD"].tolist() == ["True", "True", "False", "False"]
    assert dataset.records["amt"].tolist() == [100, 0, 100, 0]


def test_the_source_is_named_by_its_hash(tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    assert read_dataset(path).sha256 == hashlib.sha256(TABLE.encode()).hexdigest()


def test_records_are_a_copy(tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    dataset = read_dataset(path)
    records = dataset.records
    records["amt"] = 0.0
    records.loc[0, "time"] = 99.0
    assert dataset.records["amt"].tolist() == [100, 0]
    assert dataset.records["time"].tolist() == [0, 1]


def test_too_many_columns(tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_text(",".join(f"C{i}" for i in range(LARGEST_COLUMNS + 1)) + "\n")
    assert check_dataset(path).findings.codes == {"E-LIMIT"}


def test_a_cell_longer_than_the_csv_module_reads(tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_text('ID,TIME,AMT,DV\n1,0,9,.\n1,1,0,5\n1,2,0,"x,' + "x" * 200_000 + '"\n')
    check = check_dataset(path)
    assert [(finding.code, finding.row) for finding in check.findings.of("error")] == [("E-ROW", 4)]


def test_the_description_beside_the_table_is_read_and_the_call_counts(tmp_path: Path):
    path = tmp_path / "trial.csv"
    path.write_text(TABLE)
    said = '\ufeff[units]\nTIME = "d"\nAMT = "MIU"\n[outputs.il2]\nscale = "log"\n'  # as Windows writes it
    path.with_suffix(".toml").write_text(said, encoding="utf-8")
    described = read_dataset(path)
    assert described.records["time"].tolist() == [0, 24]
    assert described.endpoints[0].name == "il2"
    assert described.endpoints[0].scale == "log"
    called = read_dataset(path, units={"TIME": "h"})
    assert called.records["time"].tolist() == [0, 1]
    assert "I-SIDECAR" in called.findings.codes


@pytest.mark.parametrize(
    "text",
    ["nonsense = 1", "[units", "units = 3", "[outputs.il2]\nunknown = 1", '[covariates.WT]\nkind = "weight"'],
)
def test_a_description_that_is_not_understood_is_an_error(text: str, tmp_path: Path):
    path = tmp_path / "trial.csv"
    path.write_text(TABLE)
    path.with_suffix(".toml").write_text(text)
    with pytest.raises(InputError):
        read_dataset(path)


@pytest.mark.parametrize(
    "said",
    [
        {"covariates": ["TIME"]},
        {"covariates": ["WT", "wt"]},
        {"outputs": {"a": 1.5}},
        {"columns": {"X": "Y"}},
        {"ignore": ["DV >"]},
        {"ignore": ["NOPE == 1"]},
        {"ignore": ["ID < abc"]},
        {"purpose": "guess"},
        {"specific_activity": "unheard of"},
        {"wrong": 1},
    ],
    ids=str,
)
def test_what_is_said_must_be_understood(said: dict[str, object], tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    with pytest.raises(InputError):
        check_dataset(path, said)


def test_a_billion_additional_doses_are_refused_at_once(tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_text("ID,TIME,AMT,ADDL,II,DV\n1,0,100,1000000000,24,.\n1,1,0,0,0,5\n")
    start = time.perf_counter()
    assert "E-LIMIT" in check_dataset(path).findings.codes
    # The doses are never written out; a second is ample even on a busy machine.
    assert time.perf_counter() - start < 1.0


def many(rows: int, per_subject: int) -> pd.DataFrame:
    nth = np.tile(np.arange(per_subject), rows // per_subject)
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "ID": np.arange(rows) // per_subject + 1,
            "TIME": nth.astype(float),
            "EVID": (nth == 0).astype(int),
            "AMT": np.where(nth == 0, 100.0, 0.0),
            "CMT": np.where(nth == 0, 1, 2),
            "DV": np.where(nth == 0, np.nan, rng.lognormal(size=rows)),
            "WT": np.repeat(rng.normal(70, 5, rows // per_subject), per_subject),
        }
    )


@pytest.mark.parametrize(("rows", "per_subject"), [(200_000, 200_000), (200_000, 2)])
def test_one_subject_with_many_rows_and_many_with_few(rows: int, per_subject: int):
    dataset = read_dataset(many(rows, per_subject), covariates=["WT"])
    assert len(dataset.subjects) == rows // per_subject
    assert len(dataset.doses) == rows // per_subject


@pytest.mark.slow
@pytest.mark.parametrize(
    ("per_subject", "arm", "quoting"),
    [(20, "low", 0), (2, "low", 0), (1_000_000, "low", 0), (20, "low dose", 0), (20, "low dose", csv.QUOTE_NONNUMERIC)],
    ids=["plain", "subjects of two rows", "one subject", "blanks in cells", "quotes"],
)
def test_a_million_rows_are_checked_in_ten_times_what_pandas_takes_to_read_them(
    per_subject: int, arm: str, quoting: Literal[0, 2], tmp_path: Path
):
    path = tmp_path / "million.csv"
    table = many(1_000_000, per_subject).assign(ARM=arm)
    table.to_csv(path, index=False, na_rep=".", quoting=quoting)
    ratios = []
    for _ in range(3):
        start = time.process_time()
        pd.read_csv(path, na_values=["."])
        alone = time.process_time() - start
        start = time.process_time()
        check = check_dataset(path, {"covariates": ["WT"], "strata": ["ARM"]})
        ratios.append((time.process_time() - start) / alone)
        assert check.dataset is not None
    # The best of three: the machine may be busy with something else.
    assert min(ratios) < 10
