"""The fits a user reruns: what runs without other data, what is skipped, and, slowly, all of it."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pkpd.cli.app import run
from pkpd.fit.fit import Fit
from pkpd.qualify import estimation, shipped_trial, wang
from pkpd.qualify.estimation import FITS, qualify_estimation
from pkpd.qualify.expected import Expected

KEYS = ["case", "method", "ofv", "reference", "difference", "within", "skipped", "seconds", "checks"]


@pytest.mark.C1
def test_without_data_wang_s_example_runs_and_the_rest_is_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(estimation, "FITS", tuple(one for one in FITS if one[2] is not None))
    assert run(["qualify", "estimation", "--json"]) == 0
    cases = json.loads(capsys.readouterr().out)["cases"]
    assert all(list(case) == KEYS for case in cases)
    ran = [case for case in cases if case["within"] is not None]
    assert len(ran) == 16
    assert all(case["case"].startswith("wang2007, ") and case["within"] for case in ran)
    left = [case for case in cases if case["within"] is None]
    assert {case["case"].partition(",")[0] for case in left} == {"theophylline", "phenobarbital", "mrna6231"}
    assert all("--reference DIR" in case["skipped"] for case in left)


def test_a_case_out_of_bounds_ends_with_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(estimation, "FITS", ())
    monkeypatch.setattr(wang, "published", lambda: {("additive", "FOCEI"): 1.0})
    assert run(["qualify", "estimation", "--quiet"]) == 1
    assert "0 of 1 cases in bounds" in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["qualify", "estimation", "--reference", str(tmp_path / "none")]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_what_is_expected_can_fail() -> None:
    found = Fit.__new__(Fit)
    object.__setattr__(found, "estimates", {"cl": 2.0, "v": 10.0})
    object.__setattr__(found, "uncertainty", type("Step", (), {"se": {"cl": 0.1, "v": 1.0}})())
    expected = Expected(100.0, estimates={"cl": 2.002}, se={"v": 1.02}, true={"cl": 2.1, "v": 13.0})
    checks = expected.checks(found)
    assert checks["estimates"] == pytest.approx(0.001, rel=0.01)
    assert checks["se"] == pytest.approx(0.02, rel=0.03)
    assert checks["true values outside 95 %"] == 1.0
    sound = {"estimates": 0.001, "se": 0.001}
    assert expected.holds(0.004, sound)
    assert not expected.holds(-0.006, sound)
    assert not expected.holds(0.0, checks)
    below = replace(expected, below=True)
    assert below.holds(-5.0, sound)
    assert not below.holds(0.006, sound)


@pytest.mark.longest
def test_the_shipped_trial_gives_its_true_values_back() -> None:
    """IL-2 with M3 and Treg together, literature priors: true values inside 95 % intervals, none vast."""
    found, expected = shipped_trial.fitted(Path())
    assert found.converged and found.reasons == ()
    assert set(expected.true) == set(shipped_trial.ESTIMATED)
    assert expected.checks(found) == {"true values outside 95 %": 0.0}
    rse = {name: found.uncertainty.se[name] / found.estimates[name] for name in expected.true}
    assert all(rse[name] < 0.2 for name in ("cl", "ka", "kp", "treg0", "kout")) and rse["ec50"] < 0.7


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.C4
def test_every_case_is_in_bounds() -> None:
    import os

    root = os.environ.get("PKPD_REFERENCE")
    if not root:
        pytest.skip("PKPD_REFERENCE is not set")
    outside = [asdict(case) for case in qualify_estimation(Path(root)) if not case.within]
    assert outside == []
