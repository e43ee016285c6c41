"""Comparing regimens end to end, on few patients."""

import numpy as np
import pytest

from pkpd import compare
from pkpd.errors import InputError
from pkpd.regimens.results import Comparison

TRIAL, DAILY = "pss_nct02464319", "0.5 MIU sc qd 14d on / 14d off x 3"


@pytest.fixture(scope="module")
def found() -> Comparison:
    return compare([TRIAL, DAILY, "placebo", "0.5 MIU/m2 sc once"], patients=40, weeks=13.0, draws=6)


def _median(found: Comparison, regimen: str, metric: str) -> float:
    rows = found.table.query("regimen == @regimen and metric == @metric")
    return float(rows["median"].iloc[0])


def test_the_trial_beside_the_same_dose_daily(found: Comparison) -> None:
    daily = found.names[1]
    assert _median(found, TRIAL, "total_iu") == _median(found, daily, "total_iu") == 21e6
    assert _median(found, TRIAL, "injections") == 21
    assert _median(found, daily, "injections") == 42
    # The rounded typical values give 1.57 at the end of a block and 1.05 before the next (70 kg); patients are lighter.
    assert 1.4 < _median(found, TRIAL, "treg_block_end") < 1.8
    assert 1.01 < _median(found, TRIAL, "treg_before_next") < 1.1
    assert _median(found, daily, "treg_peak") > _median(found, TRIAL, "treg_peak")
    assert _median(found, daily, "il2_cmax_per_dose") < _median(found, TRIAL, "il2_cmax_per_dose")


def test_auc_per_dose_is_dose_times_bioavailability_over_clearance(found: Comparison) -> None:
    from pkpd.literature import covariates
    from pkpd.models.library import model
    from pkpd.population.virtual import draw_parameters, draw_patients, literature_of, typical_values

    body = model("il2_treg_nk")
    known = literature_of(body)
    p = draw_parameters(body, known, typical_values(known), draw_patients(covariates("population_pss"), 40, 1), 1)
    auc = found.profiles["metric_values"].sel(regimen=TRIAL, metric="il2_auc_per_dose").to_numpy()
    np.testing.assert_allclose(auc, 1e6 * p["f"] / (1000 * p["cl"]), rtol=1e-9)


def test_placebo_changes_nothing(found: Comparison) -> None:
    profiles = found.profiles.sel(regimen="placebo")
    assert float(profiles["il2"].max()) == 0.0
    np.testing.assert_array_equal(profiles["treg"], 1.0)
    np.testing.assert_array_equal(profiles["nk"], 1.0)


def test_doses_per_m2_use_the_patients_own_size(found: Comparison) -> None:
    given = found.profiles["metric_values"].isel(regimen=3).sel(metric="total_iu").to_numpy()
    np.testing.assert_allclose(given, 0.5e6 * found.profiles["bsa"].to_numpy())


def test_the_two_kinds_of_interval_are_apart(found: Comparison) -> None:
    rows = found.table.query("metric == 'treg_peak' and regimen == @TRIAL").iloc[0]
    assert rows["low"] < rows["median"] < rows["high"]
    assert rows["median_low"] < rows["median_high"]
    cost = found.table.query("metric == 'total_iu' and regimen == @TRIAL").iloc[0]
    assert cost["median_low"] == cost["median_high"] == 21e6


def test_assumptions_are_listed_and_facts_are_not(found: Comparison) -> None:
    listed = set(found.assumptions["symbol"])
    assert {"kp", "ec50", "tmax", "knk", "weight", "height"} <= listed
    assert "tlag" not in listed and "age" not in listed


def test_the_same_seed_gives_the_same_numbers_and_fewer_regimens_change_none(found: Comparison) -> None:
    again = compare([TRIAL], patients=40, weeks=13.0, draws=6)
    mine = found.table.query("regimen == @TRIAL").reset_index(drop=True)
    np.testing.assert_array_equal(again.table["median"].to_numpy(), mine["median"].to_numpy())
    np.testing.assert_array_equal(again.table["median_low"].to_numpy(), mine["median_low"].to_numpy())


def test_progress_counts_to_the_end() -> None:
    seen: list[tuple[int, int]] = []
    compare(["placebo"], patients=3, weeks=1.0, draws=0, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"regimens": []}, "at least one regimen"),
        ({"regimens": [TRIAL, TRIAL]}, "only once"),
        ({"regimens": ["skyler_t1d"]}, "neither its dose nor its schedule is known"),
        ({"regimens": ["nktr358_sle_24"]}, "cannot be simulated"),
        ({"regimens": ["pss_nct0246431"]}, "pss_nct02464319"),
        ({"regimens": [TRIAL], "patients": 1}, "at least 2"),
        ({"regimens": [TRIAL], "patients": 10_000_000}, "do not fit into memory"),
        ({"regimens": [TRIAL], "weeks": float("nan")}, "between 1 and 520"),
        ({"regimens": [TRIAL], "draws": 1}, "at least 2"),
        ({"regimens": [TRIAL], "reference": "placebo"}, "not among the regimens"),
    ],
)
def test_bad_input_is_named(arguments: dict, message: str) -> None:
    regimens = arguments.pop("regimens")
    with pytest.raises(InputError, match=message):
        compare(regimens, **arguments)
