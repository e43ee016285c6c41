"""Published tables, read as they are; subjects, doses and observations counted once more by the csv module alone."""

import csv
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from pkpd.dataset import Dataset, read_dataset

FOLDER = os.environ.get("PKPD_REFERENCE", "")
pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not FOLDER, reason="PKPD_REFERENCE does not name the folder of reference data"),
]

Row = Mapping[str, str]


def rows(name: str, blanks: bool = False) -> list[Row]:
    """The rows of a file by the csv module, with names in upper case."""
    with (Path(FOLDER) / name).open(encoding="utf-8", newline="") as stream:
        lines = (" ".join(line.split()) for line in stream) if blanks else stream
        found = list(csv.reader(lines, delimiter=" " if blanks else ","))
    header = [cell.strip().upper() for cell in found[0]]
    return [dict(zip(header, cells, strict=True)) for cells in found[1:] if cells]


def counted(dataset: Dataset) -> tuple[int, int, int]:
    return len(dataset.subjects), len(dataset.doses), len(dataset.observations)


def counts(table: list[Row], dose: Callable[[Row], bool], seen: Callable[[Row], bool]) -> tuple[int, int, int]:
    return len({row["ID"] for row in table}), sum(map(dose, table)), sum(map(seen, table))


def given(row: Row) -> bool:
    return float(row["AMT"]) > 0


def test_theophylline():
    table = rows("theophylline/theo_sd.csv")
    dataset = read_dataset(
        Path(FOLDER) / "theophylline/theo_sd.csv",
        outputs="conc",
        units={"TIME": "h", "AMT": "mg", "conc": "mg/L", "WT": "kg"},
        covariates={"WT": {"kind": "continuous", "constant": True, "low": 30, "high": 150}},
    )
    assert counted(dataset) == counts(table, given, lambda row: row["EVID"] == "0")
    assert counted(dataset) == (12, 12, 132)
    assert set(dataset.doses["cmt"]) == {1}
    assert dataset.observations["dv"].sum() == pytest.approx(sum(float(row["DV"]) for row in table), rel=1e-12)


def test_phenobarbital():
    table = rows("phenobarbital/pheno.dta", blanks=True)
    dataset = read_dataset(Path(FOLDER) / "phenobarbital/pheno.dta", covariates=["WGT", "APGR"])
    assert counted(dataset) == counts(table, given, lambda row: float(row["AMT"]) == 0)
    assert counted(dataset) == (59, 589, 155)
    assert dataset.unused == ("FA1", "FA2")
    assert dataset.records["time"].tolist() == [float(row["TIME"]) for row in table]


def test_dosing_scenarios():
    table = rows("dosing_nonmem/records.csv")
    dataset = read_dataset(
        Path(FOLDER) / "dosing_nonmem/records.csv",
        purpose="simulate",
        covariates=["LAGT", "MODE", "DUR2", "RAT2", "BIOAV"],
    )
    assert counted(dataset) == (29, sum(row["EVID"] in "14" for row in table), 0)
    assert len(dataset.records) == len(table) == 3837
    for column in ("time", "evid", "amt", "cmt", "ss", "ii", "addl", "rate"):
        assert dataset.records[column].tolist() == [float(row[column.upper()]) for row in table], column


def mrna_drug(table: list[Row]) -> Iterator[Row]:
    """The rows that the authors' analysis keeps: samples at time 0 of 0 are no samples."""
    return (row for row in table if not (row["EVID"] == "0" and float(row["TIME"]) == 0 and float(row["DV"]) == 0))


def test_mrna6231_drug():
    table = list(mrna_drug(rows("mrna6231_nhp/il2finaldataset.csv")))
    dataset = read_dataset(
        Path(FOLDER) / "mrna6231_nhp/il2finaldataset.csv",
        ignore=["EVID == 0 and TIME == 0 and DV == 0"],
        outputs={"drug": 2},
        units={"TIME": "h", "AMT": "ug", "drug": "ng/mL"},
        covariates=["dosegroup", "wt"],
    )
    assert counted(dataset) == counts(table, lambda row: row["EVID"] == "1", lambda row: row["EVID"] == "0")
    assert counted(dataset) == (40, 72, 538)


def test_mrna6231_treg():
    table = [row for row in rows("mrna6231_nhp/tregfinaldataset.csv") if row["ID"] != "2002"]
    dataset = read_dataset(
        Path(FOLDER) / "mrna6231_nhp/tregfinaldataset.csv",
        ignore=["ID == 2002"],
        outputs={"treg": 3},
        units={"TIME": "h", "AMT": "ug", "treg": "% of CD4"},
        covariates=["dosegroup", "wt"],
        strata=["dp"],
    )
    measured = [row for row in table if row["EVID"] == "0" and row["DV"].strip() not in ("NA", ".", "")]
    assert counted(dataset) == (39, sum(row["EVID"] == "1" for row in table), len(measured))
    assert dataset.observations["dv"].tolist() == [float(row["DV"]) for row in measured]


def test_wang2007():
    table = rows("wang2007/Wang2007.csv")
    dataset = read_dataset(Path(FOLDER) / "wang2007/Wang2007.csv", columns={"DV": "Y"})
    assert counted(dataset) == (10, 0, len(table)) == (10, 0, 20)
