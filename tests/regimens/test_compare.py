"""Comparing regimens end to end, on few patients."""

import numpy as np
import pytest
from scipy.linalg import expm

from pkpd import compare
from pkpd.errors import InputError
from pkpd.literature import covariates
from pkpd.models.library import model
from pkpd.population.virtual import draw_parameters, draw_patients, literature_of, typical_values
from pkpd.regimens.compare import MODEL, POPULATION
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


def test_peaks_of_doses_into_a_vein_are_seen() -> None:
    """Against the matrix exponential in each patient: at once, and at the end of infusions between the hours."""
    body = model(MODEL)
    known = literature_of(body)
    people = draw_patients(covariates(POPULATION), 6, seed=3)
    own = draw_parameters(body, known, typical_values(known), people, seed=3)
    lengths = {"1 MIU iv once": 0.0, "1 MIU iv over 15 min once": 0.25, "1 MIU iv over 90 min once": 1.5}
    found = compare(list(lengths), patients=6, weeks=1.0, draws=0, seed=3)
    values = found.profiles["metric_values"].sel(metric="il2_cmax_per_dose").to_numpy()
    for peaks, length in zip(values, lengths.values(), strict=True):
        for peak, cl, vc, q, vp in zip(peaks, *(own[name] for name in ("cl", "vc", "q", "vp")), strict=True):
            rates = np.array([[-(cl + q) / vc, q / vp], [q / vc, -q / vp]])
            amount = 1e6
            if length:
                amount = (np.linalg.solve(rates, (expm(rates * length) - np.eye(2)) @ [1e6 / length, 0.0]))[0]
            assert peak == pytest.approx(1e-3 * amount / vc, rel=1e-5)


def test_what_is_cut_off_is_not_counted_as_given() -> None:
    found = compare([TRIAL], patients=3, weeks=2.0, draws=0)
    assert found.regimen(TRIAL).total_dose == "7 MIU in 7 injections (21 planned)"
    assert not found.doubted


def test_a_reference_may_be_written_otherwise() -> None:
    found = compare(["1 MIU sc q3d x 8 wk", "placebo"], patients=3, weeks=1.0, draws=0, reference="1 MIU SC q3d x 8wk")
    assert found.reference == found.names[0]


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
