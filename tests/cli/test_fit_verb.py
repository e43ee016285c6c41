"""`pkpd fit` and `pkpd runs` as a person uses them: a folder, a table, mistakes, a killed run that goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import least_squares

from pkpd.cli.app import run
from pkpd.storage import shipped

# What examples/make_oral_example.py drew from.
TRUTH = {"ka": 1.1, "cl": 4.0, "v": 35.0, "omega.ka": 0.4, "omega.cl": 0.25, "omega.v": 0.2, "conc.sd": 0.12}
FEW = """\
model = "pk_1cmt_iv"
[data]
outputs = ["conc"]
units = { AMT = "mg", conc = "mg/L" }
[parameters]
cl = { initial = 2.0, variability = "lognormal", cv = 0.3 }
v = 10.0
[residual.conc]
error = "additive"
sd = 1.0
"""


@pytest.fixture(scope="module")
def oral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, fitted once."""
    folder = tmp_path_factory.mktemp("oral")
    for name in ("oral.csv", "oral_fit.toml"):
        (folder / name).write_bytes(shipped(f"examples/{name}").read_bytes())
    assert run(["fit", str(folder / "oral_fit.toml"), str(folder / "oral.csv"), "--out", str(folder / "r1")]) == 0
    return folder


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """A run file and a table of three subjects."""
    rng = np.random.default_rng(3)
    lines = ["ID,TIME,AMT,DV,EVID"]
    for subject in range(1, 4):
        lines.append(f"{subject},0,100,.,1")
        k = 0.2 * np.exp(0.3 * rng.standard_normal())
        lines += [f"{subject},{t},.,{10 * np.exp(-k * t) + 0.3 * rng.standard_normal():.3f},0" for t in (1, 3, 6, 9)]
    (tmp_path / "few.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "run.toml").write_text(FEW)
    return tmp_path


def test_the_folder_holds_everything(oral: Path) -> None:
    folder = oral / "r1"
    manifest, result = (json.loads((folder / name).read_text()) for name in ("manifest.json", "fit.json"))
    assert manifest["status"] == "finished" and manifest["options"]["method"] == "focei"
    assert {"started", "ended", "device", "versions", "sha256", "argv", "seconds", "compiling"} <= set(manifest)
    assert result["evaluations"] > sum(one["steps"] for one in result["starts"])
    assert (folder / "model.toml").read_bytes() == (oral / "oral_fit.toml").read_bytes()
    assert (folder / "data.sha256").read_text().startswith(manifest["sha256"]["data"])
    assert len(pd.read_parquet(folder / "data.parquet")) == 40 * 9
    parameters = pd.read_csv(folder / "parameters.csv").set_index("name")
    for name, truth in TRUTH.items():
        assert parameters.ci_low[name] < truth < parameters.ci_high[name]
    assert parameters.unit["cl"] == "L/h" and parameters.init["cl"] == 3.0
    omega = pd.read_csv(folder / "omega.csv", index_col=0)
    assert omega.loc["omega.cl", "omega.cl"] == pytest.approx(parameters.estimate["omega.cl"] ** 2)
    covariance = pd.read_csv(folder / "cov.csv", index_col=0)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), parameters.se[covariance.index])
    etas = pd.read_csv(folder / "etas.csv")
    assert etas.iOFV.sum() == pytest.approx(result["ofv"], abs=1e-6)
    shrinkage = 1 - np.sqrt((etas.cl**2).mean()) / parameters.estimate["omega.cl"]
    assert parameters.shrinkage_pct["omega.cl"] == pytest.approx(100 * shrinkage)
    assert json.loads((folder / "warnings.json").read_text()) == []
    steps = pd.read_csv(folder / "iterations.csv")
    assert steps.step.tolist() == list(range(1, len(steps) + 1))
    assert steps.ofv.iloc[-1] == pytest.approx(result["ofv"], abs=1e-3)


def test_every_scored_row_has_its_predictions(oral: Path) -> None:
    table = pd.read_csv(oral / "r1" / "sdtab.csv")
    given = pd.read_csv(oral / "oral.csv", comment="#", na_values=".")
    given = given[given.EVID == 0].reset_index(drop=True)
    for mine, theirs in (("ID", "ID"), ("TIME", "TIME"), ("TAD", "TIME"), ("DV", "DV"), ("CENS", "CENS")):
        np.testing.assert_allclose(table[mine], given[theirs])
    parameters = pd.read_csv(oral / "r1" / "parameters.csv").set_index("name").estimate
    etas = pd.read_csv(oral / "r1" / "etas.csv").set_index("ID")
    for column, effect in (("PRED", 0.0), ("IPRED", 1.0)):
        ka, v, cl = (parameters[p] * np.exp(effect * etas[p].loc[table.ID].to_numpy()) for p in ("ka", "v", "cl"))
        k = cl * (given.WT / 70) ** 0.75 / v
        closed = 100 * ka / (v * (ka - k)) * (np.exp(-k * table.TIME) - np.exp(-ka * table.TIME))
        np.testing.assert_allclose(table[column], closed, rtol=1e-6)
    assert table.CWRES.isna().equals(table.CENS == 1)
    assert abs(table.CWRES.mean()) < 0.15 and 0.85 < table.CWRES.std() < 1.15


def test_draws_open_in_arviz(oral: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import arviz
    draws = arviz.from_netcdf(str(oral / "r1" / "posterior.nc"))
    assert set(draws.posterior.data_vars) == set(TRUTH)
    assert set(arviz.summary(draws, kind="stats").index) == set(TRUTH)
    assert "not a posterior sample" in draws.posterior.attrs["drawn"]


def test_runs_are_shown_and_compared(oral: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (oral / "oral_fit.toml").read_text().replace('description = "one', 'parent = "r1"\ndescription = "one')
    (oral / "second.toml").write_text(text.replace("exponent = 0.75", "exponent = { initial = 0.75 }"))
    given = ["fit", str(oral / "second.toml"), str(oral / "oral.csv"), "--out", str(oral / "r2"), "--quiet"]
    assert run([*given, "--covariance", "none"]) == 0
    assert capsys.readouterr() == ("", "")
    assert run(["runs", "compare", str(oral / "r1"), str(oral / "r2"), "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["runs"]
    assert (first["delta_ofv"], second["based_on"], second["estimated"]) == (0.0, "r1", first["estimated"] + 1)
    # One more parameter, the old value among its values: never worse.
    assert -4 < second["delta_ofv"] < 1e-4
    assert run(["runs", "compare", str(oral / "r1"), str(oral / "r2")]) == 0
    assert run(["runs", "show", str(oral / "r1")]) == 0
    shown = capsys.readouterr().out
    assert "dOFV" in shown and "omega.cl" in shown and "importance sampling" in shown
    earlier = json.loads((oral / "r2" / "fit.json").read_text())
    del earlier["compiling"], earlier["evaluations"]
    (oral / "r2" / "fit.json").write_text(json.dumps(earlier))
    assert run(["runs", "show", str(oral / "r2")]) == 0
    assert "estimation" in capsys.readouterr().out
    assert run(["runs", "show", str(oral)]) == 2
    assert "manifest.json" in capsys.readouterr().err


def test_objectives_of_other_data_are_not_subtracted(oral: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(oral / "r1", oral / "other")
    manifest = json.loads((oral / "other" / "manifest.json").read_text())
    manifest["sha256"]["data"] = "0"
    (oral / "other" / "manifest.json").write_text(json.dumps(manifest))
    assert run(["runs", "compare", str(oral / "r1"), str(oral / "other")]) == 0
    assert "other: no difference of objectives: other data" in " ".join(capsys.readouterr().out.split())


def test_a_suspect_fit_ends_with_4(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["fit", str(few / "run.toml"), str(few / "few.csv"), "--method", "fo"]
    assert run([*given, "--out", str(few / "one"), "--json"]) == 4
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result["status"] == "suspect"
    assert result["reasons"] == ["3 subjects for 4 estimates: S has no full rank; take the covariance 'r'"]
    assert "pkpd: suspect: 3 subjects for 4 estimates" in captured.err
    assert run([*given, "--out", str(few / "two"), "--allow-warnings", "--quiet"]) == 0
    assert json.loads((few / "two" / "warnings.json").read_text())[0]["severity"] == "suspect"


def test_a_run_file_without_variability_pools_naively(few: Path) -> None:
    """Least squares over all observations of everybody; no random effects, and so no rows of Omega."""
    table = pd.read_csv(few / "few.csv", na_values=".").dropna(subset="DV")
    hours, value = np.asarray(table["TIME"]), np.asarray(table["DV"])
    (few / "run.toml").write_text(FEW.replace(', variability = "lognormal", cv = 0.3', ""))
    given = ["fit", str(few / "run.toml"), str(few / "few.csv"), "--out", str(few / "out")]
    assert run([*given, "--covariance", "none", "--quiet"]) == 0
    found = pd.read_csv(few / "out" / "parameters.csv")
    estimates = dict(zip(found["name"], found["estimate"], strict=True))

    def left(p: np.ndarray) -> np.ndarray:
        cl, v = np.exp(p)
        return value - 100 / v * np.exp(-cl / v * hours)

    alone = least_squares(left, np.log([2.0, 10.0]), xtol=1e-12, ftol=1e-12, gtol=1e-12)
    # The outer search ends where a gain of 1e-7 of the objective is left, which is 1e-4 of a standard error or so.
    sd = float(np.sqrt(np.mean(left(alone.x) ** 2)))
    expected = dict(zip(("cl", "v"), np.exp(alone.x).tolist(), strict=True)) | {"conc.sd": sd}
    assert estimates == pytest.approx(expected, rel=1e-4)
    assert list(pd.read_csv(few / "out" / "etas.csv")) == ["ID", "iOFV"]
    assert len(pd.read_csv(few / "out" / "omega.csv")) == 0


def test_mistakes_are_told_before_a_folder_is_made(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["fit", str(few / "run.toml"), str(few / "few.csv"), "--out", str(few / "out")]

    def refused(text: str, *more: str) -> None:
        assert run([*given, *more]) == 2
        assert text in capsys.readouterr().err
        assert not (few / "out" / "fit.json").exists()

    (few / "run.toml").write_text(FEW.replace("v = 10.0", "vol = 10.0"))
    refused("'pk_1cmt_iv' has no such parameter; known are cl, v")
    (few / "run.toml").write_text(FEW.replace("additive", "proportional"))
    (few / "few.csv").write_text((few / "few.csv").read_text() + "4,0,.,0.1,0\n4,1,100,.,1\n4,2,.,9,0\n")
    refused("row 17 (subject 4)")
    refused("one of them", "--resume", str(few))
    (few / "run.toml").write_text(FEW)
    refused("nodes are for agq", "--method", "agq")
    refused("nodes are for agq", "--nodes", "3")
    (few / "run.toml").write_text(FEW + "[method]\nstarts = 0\n")
    refused("method.starts")
    (few / "few.toml").write_text(FEW)
    assert run(["fit", str(few / "few.toml"), str(few / "few.csv")]) == 2
    assert "rename it" in capsys.readouterr().err
    assert not (few / "out").exists()
    (few / "out").mkdir()
    (few / "few.toml").unlink()
    (few / "run.toml").write_text(FEW)
    refused("never overwrites")
    (few / "out" / "manifest.json").write_text('{"status": "running"}')
    assert run(["runs", "show", str(few / "out")]) == 2
    assert "is a run without results, status running" in capsys.readouterr().err
    (few / "out" / "fit.json").write_text("{}")
    assert run(["runs", "show", str(few / "out")]) == 2
    assert "holds nothing of a run" in capsys.readouterr().err
    for other in (few / "few.cvs", few, Path()):
        assert run(["fit", str(few / "run.toml"), str(other), "--out", str(few / "out")]) == 2
        assert "E-FILE" in capsys.readouterr().err


@pytest.mark.F1
@pytest.mark.F2
def test_a_run_that_was_killed_goes_on(oral: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(oral / "oral_fit.toml"), str(oral / "oral.csv")]
    out = oral / "killed"
    command = [sys.executable, "-m", "pkpd", "fit", *given, "--out", str(out), "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 300
        while time.monotonic() < until and process.poll() is None:
            if (out / "iterations.csv").exists() and len((out / "iterations.csv").read_text().splitlines()) > 3:
                break
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert json.loads((out / "manifest.json").read_text())["status"] == "running"
    assert list((out / "checkpoint").iterdir())
    assert run(["fit", *given, "--resume", str(out), "--method", "laplace"]) == 2
    assert "another method" in capsys.readouterr().err
    # As a kill in the middle of a line would leave it.
    with (out / "iterations.csv").open("a") as stream:
        stream.write("0,99,-1.2")
    assert run(["fit", *given, "--resume", str(out), "--quiet"]) == 0
    whole, resumed = (json.loads((oral / name / "fit.json").read_text()) for name in ("r1", "killed"))
    assert whole["x"] == resumed["x"] and whole["ofv"] == resumed["ofv"]
    assert (out / "iterations.csv").read_text() == (oral / "r1" / "iterations.csv").read_text()
    assert json.loads((out / "manifest.json").read_text())["status"] == "finished"


def test_an_estimate_at_its_bound_has_no_standard_error(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (few / "run.toml").write_text(FEW.replace("v = 10.0", "v = { initial = 8.0, upper = 9.0 }"))
    out = few / "out"
    run(["fit", str(few / "run.toml"), str(few / "few.csv"), "--out", str(out), "--covariance", "R"])
    assert "standard errors by R^-1" in " ".join(capsys.readouterr().out.split())
    rows = {row["name"]: row for row in json.loads((out / "fit.json").read_text())["parameters"]}
    assert rows["v"]["at_bound"]
    assert [rows["v"][name] for name in ("se", "rse_pct", "ci_low", "ci_high")] == [None] * 4
    assert rows["conc.sd"]["se"] > 0


def test_a_description_that_changed_is_another_run(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["fit", str(few / "run.toml"), str(few / "few.csv")]
    run([*given, "--out", str(few / "out"), "--quiet", "--covariance", "none"])
    (few / "few.toml").write_text('ignore = ["TIME > 6"]')
    capsys.readouterr()
    assert run([*given, "--resume", str(few / "out"), "--covariance", "none"]) == 2
    assert "is a run with another description" in capsys.readouterr().err


def test_a_run_file_says_enough_to_check_its_table(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "check", str(few / "few.csv"), "--description", str(few / "run.toml")]) == 0
    assert "conc" in capsys.readouterr().out


def test_a_prior_must_allow_the_start(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (few / "run.toml").write_text(FEW + '[priors.v]\ndistribution = "uniform"\nlow = 11.0\nhigh = 20.0\n')
    assert run(["fit", str(few / "run.toml"), str(few / "few.csv"), "--out", str(few / "out")]) == 2
    assert "the prior rules out the initial estimate of v (10)" in capsys.readouterr().err
    assert not (few / "out").exists()
