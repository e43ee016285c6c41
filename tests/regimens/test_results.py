"""The result object and the files it writes."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fake_comparison import fake_comparison, only, renamed

from pkpd.errors import InputError
from pkpd.regimens.results import TABLE_COLUMNS, Comparison

PAIR = ("pss_nct02464319", "placebo")


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return only(fake_comparison(), *PAIR)


@pytest.fixture(scope="module")
def folder(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "new" / "deep"
    written = comparison.write(folder)
    assert sorted(written) == sorted(folder.iterdir()), "nothing else, no temporary file, is left in the folder"
    return folder


def test_files(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "comparison.csv",
        "assumptions.csv",
        "profiles.nc",
        "il2.png",
        "treg.png",
        "nk.png",
        "overview.png",
        "report.html",
    }


def test_csv_reads_back_equal(comparison: Comparison, folder: Path) -> None:
    with (folder / "comparison.csv").open(newline="", encoding="utf-8") as stream:
        read = list(csv.DictReader(stream))
    assert tuple(read[0]) == TABLE_COLUMNS
    assert len(read) == len(comparison.table)
    # All digits are written, so the numbers come back bit for bit; a missing one is an empty cell.
    for column in ("median", "low", "high", "median_low", "median_high"):
        numbers = [float(row[column]) if row[column] else math.nan for row in read]
        np.testing.assert_array_equal(numbers, comparison.table[column])
        assert np.isnan(numbers).any()
    for column in ("regimen", "metric", "label", "unit", "group"):
        assert [row[column] for row in read] == list(comparison.table[column])


def test_netcdf_reads_back_equal(comparison: Comparison, folder: Path) -> None:
    with xr.open_dataset(folder / "profiles.nc", engine="h5netcdf") as read:
        for name in ("il2", "treg", "nk", "metric_values", "age", "weight"):
            np.testing.assert_array_equal(read[name].values, comparison.profiles[name].values)
        assert list(read["regimen"].values) == list(PAIR)
        assert list(read["sex"].values) == list(comparison.profiles["sex"].values)
        assert read["time"].attrs["units"] == "h"
        assert read.attrs["seed"] == 7


def test_pictures_are_readable(folder: Path) -> None:
    for name in ("il2", "treg", "nk", "overview"):
        height, width, _ = matplotlib.image.imread(folder / f"{name}.png").shape
        assert width > 1000
        assert height > 300


def test_text_that_a_spreadsheet_would_run_is_escaped(folder: Path) -> None:
    cells = pd.read_csv(folder / "assumptions.csv").iloc[-1]
    assert cells["symbol"] == "'=cmd|' /C calc'!A0"
    assert cells["meaning"] == "'-1+1"
    assert cells["unit"] == "'@unit"
    assert cells["source"] == "'+SUM(A1)"


def test_negative_numbers_keep_their_sign(comparison: Comparison, tmp_path: Path) -> None:
    replace(comparison, table=comparison.table.assign(low=-1.5)).write(tmp_path)
    assert (pd.read_csv(tmp_path / "comparison.csv")["low"] == -1.5).all()


def test_hostile_names_reach_every_file(tmp_path: Path) -> None:
    hostile = "=1+1 <script> $x_{$ [red] ../../etc"
    comparison = renamed(only(fake_comparison(), *PAIR), "placebo", hostile)
    written = comparison.write(tmp_path)
    assert all(path.parent == tmp_path for path in written)
    read = pd.read_csv(tmp_path / "comparison.csv")
    assert f"'{hostile}" in set(read["regimen"])
    with xr.open_dataset(tmp_path / "profiles.nc", engine="h5netcdf") as profiles:
        assert hostile in list(profiles["regimen"].values)


def test_folder_that_cannot_be_written(comparison: Comparison, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(InputError, match="cannot write"):
        comparison.write(blocked)
    assert blocked.read_text() == "in the way"


def test_json_is_strict_and_complete(comparison: Comparison) -> None:
    text = json.dumps(comparison.to_json(), allow_nan=False)
    read = json.loads(text)
    assert read["reference"] == "pss_nct02464319"
    assert [regimen["name"] for regimen in read["regimens"]] == list(PAIR)
    assert read["regimens"][0]["dose_times_h"][1] == 48.0
    assert len(read["table"]) == len(comparison.table)
    cmax = next(row for row in read["table"] if row["regimen"] == "placebo" and row["metric"] == "il2_cmax_per_dose")
    assert cmax["median"] is None
    assert read["provenance"]["versions"]["pkpd"] == "0.1.0"
    assert len(read["assumptions"]) == len(comparison.assumptions)


def test_estimates_are_shown_in_units_people_use(comparison: Comparison) -> None:
    total = comparison.estimate("pss_nct02464319", "total_iu")
    assert (total.median, total.unit, total.quantity) == (21.0, "MIU", "21\u00a0MIU")
    assert total.fixed
    assert not comparison.estimate("pss_nct02464319", "treg_peak").fixed


def test_what_the_table_lacks_is_missing_and_not_zero(comparison: Comparison) -> None:
    kept = comparison.table[~comparison.table["metric"].eq("treg_peak") | comparison.table["regimen"].ne("placebo")]
    sparse = replace(comparison, table=kept)
    estimate = sparse.estimate("placebo", "treg_peak")
    assert math.isnan(estimate.median)
    assert (estimate.value, estimate.quantity, estimate.patients, estimate.doubt) == ("–",) * 4
    assert not sparse.has("treg_glory")
    with pytest.raises(KeyError):
        sparse.estimate("placebo", "treg_glory")


def test_contradictions_are_refused(comparison: Comparison) -> None:
    with pytest.raises(ValueError, match="not among"):
        replace(comparison, reference="other")
    with pytest.raises(ValueError, match="lacks the columns"):
        replace(comparison, table=comparison.table.drop(columns="median_low"))
    with pytest.raises(ValueError, match="order"):
        replace(comparison, regimens=comparison.regimens[::-1])
