"""A corrected copy: what has one meaning is changed and listed, the rest stays, and the file is never touched."""

import csv
from pathlib import Path

import pytest
from bad_tables import BAD

from pkpd.dataset import check_dataset
from pkpd.dataset.mend import mended
from pkpd.errors import InputError


def files(folder: Path, table: str) -> tuple[Path, Path]:
    path = folder / "broken.csv"
    path.write_text(table.replace("|", "\n") + "\n", encoding="utf-8")
    return path, folder / "mended.csv"


BROKEN = {
    "a decimal comma": ("ID;TIME;AMT;DV|1;0;9,5;.|1;1;0;5,25", "row 3, ID 1: DV '5,25' -> '5.25'"),
    "Fortran's exponent": ("ID,TIME,AMT,DV|1,0,1.0D+02,.|1,1,0,5", "row 2, ID 1: AMT '1.0D+02' -> '1.0E+02'"),
    "time goes back": ("ID,TIME,AMT,DV|1,1,0,5|1,0,9,.", "row 3, ID 1: row '2' -> '1'"),
    "an ID that returns": ("ID,TIME,AMT,DV|1,0,9,.|1,1,0,5|2,0,9,.|2,1,0,5|1,2,0,4", "row 6, ID 1: row '5' -> '3'"),
    "a decimal comma in a time out of order": (
        "ID;TIME;AMT;DV|1;1,5;0;5|1;0,5;9;.",
        "row 3, ID 1: TIME '0,5' -> '0.5'",
    ),
}


@pytest.mark.parametrize(("table", "change"), BROKEN.values(), ids=BROKEN.keys())
def test_what_has_one_meaning_is_mended(table: str, change: str, tmp_path: Path):
    source, target = files(tmp_path, table)
    assert check_dataset(source).dataset is None
    before = source.read_bytes()
    changes = mended(source, target, {})
    assert any(change in str(one) for one in changes), list(map(str, changes))
    assert check_dataset(target).dataset is not None, check_dataset(target).findings.text()
    assert source.read_bytes() == before
    with (tmp_path / "mended.changes.csv").open(encoding="utf-8", newline="") as stream:
        assert len(list(csv.reader(stream))) == len(changes) + 1


def test_a_table_in_order_keeps_every_cell(tmp_path: Path):
    table = "ID,TIME,AMT,EVID,CMT,DV,NOTE|1,0,100,1,1,.,x|1,1,0,0,2,5.50,"
    source, target = files(tmp_path, table)
    assert mended(source, target, {}) == []
    assert target.read_text(encoding="utf-8") == source.read_text(encoding="utf-8")


def test_what_is_told_becomes_written(tmp_path: Path):
    source, target = files(tmp_path, "ID,TIME,AMT,EVID,CMT,DV,MDV|1,0,9,101,.,0,0|1,1,0,0,2,5,0")
    mended(source, target, {})
    assert target.read_text(encoding="utf-8").splitlines()[1] == "1,0,9,1,1,.,1"
    assert not {"I-EVID", "W-DVONDOSE", "W-MDV"} & check_dataset(target).findings.codes


def test_an_absent_evid_is_written_out(tmp_path: Path):
    source, target = files(tmp_path, "ID,TIME,AMT,DV|1,0,9,.|1,1,0,5")
    changes = mended(source, target, {})
    assert [one.column for one in changes] == ["EVID"]
    assert target.read_text(encoding="utf-8").splitlines() == ["ID,TIME,AMT,DV,EVID", "1,0,9,.,1", "1,1,0,5,0"]


def test_a_time_that_starts_anew_at_a_reset_is_not_sorted_away(tmp_path: Path):
    source, target = files(tmp_path, "ID,TIME,AMT,EVID,DV|1,0,9,1,.|1,5,0,0,5|1,0,9,4,.|1,5,0,0,6")
    assert mended(source, target, {}) == []
    assert "E-ORDER" in check_dataset(target).findings.codes


def test_rows_that_cannot_be_read_are_not_lost(tmp_path: Path):
    source, target = files(tmp_path, "ID,TIME,AMT,DV|1,0,9,.|1,1,0,5,6|1,2,0,5")
    with pytest.raises(InputError, match="cannot be mended"):
        mended(source, target, {})
    assert not target.exists()


@pytest.mark.parametrize("name", ["mended.csv", "mended.changes.csv"])
def test_nothing_is_written_over(name: str, tmp_path: Path):
    source, target = files(tmp_path, "ID,TIME,AMT,DV|1,0,9,.|1,1,0,5")
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match="exists"):
        mended(source, target, {})
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("target", [".", "..", "absent/mended.csv"])
def test_a_copy_that_cannot_be_written_is_a_plain_mistake(target: str, tmp_path: Path):
    source, _ = files(tmp_path, "ID,TIME,AMT,DV|1,0,9,.|1,1,0,5")
    with pytest.raises(InputError, match="exists|no folder"):
        mended(source, Path(target), {})


def test_never_in_place(tmp_path: Path):
    source, _ = files(tmp_path, "ID,TIME,AMT,DV|1,0,9,.|1,1,0,5")
    with pytest.raises(InputError, match="never written over"):
        mended(source, source, {})


def test_the_description_goes_with_the_copy(tmp_path: Path):
    source, target = files(tmp_path, "ID,TIME,AMT,DV|1,0,9,.|1,1,0,5")
    source.with_suffix(".toml").write_text('[units]\nTIME = "d"\n')
    mended(source, target, {})
    dataset = check_dataset(target).dataset
    assert dataset is not None
    assert dataset.units["TIME"] == "h"
    assert dataset.records["time"].tolist() == [0, 24]


def test_text_that_a_spreadsheet_would_run_is_quoted_in_the_list(tmp_path: Path):
    source, target = files(tmp_path, "ID,TIME,AMT,DV|=1+1,1,0,5|=1+1,0,9,.")
    mended(source, target, {})
    listed = (tmp_path / "mended.changes.csv").read_text(encoding="utf-8")
    assert "'=1+1" in listed
    assert ",=1+1" not in listed


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_mending_never_fails_otherwise_and_never_makes_worse(bad, tmp_path: Path):
    source, target = files(tmp_path, bad.table)
    before = {finding.code for finding in check_dataset(source, bad.said).findings.of("error")}
    try:
        mended(source, target, bad.said)
    except InputError:
        return
    after = {finding.code for finding in check_dataset(target, bad.said).findings.of("error")}
    assert after <= before
