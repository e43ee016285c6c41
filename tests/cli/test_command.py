"""The command line as a stranger meets it: help, results, and what becomes of mistakes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pkpd.cli.app import run

HEAVY = ("jax", "numpy", "pandas", "xarray", "scipy", "matplotlib", "plotly", "pint")
VERBS = (
    [],
    ["compare"],
    ["data", "check"],
    ["data", "plot"],
    ["data", "example"],
    ["regimens"],
    ["regimens", "list"],
    ["regimens", "show"],
    ["models"],
    ["models", "list"],
    ["models", "show"],
    ["qualify"],
    ["fit"],
    ["runs"],
    ["runs", "compare"],
    ["runs", "show"],
    ["qualify", "dosing"],
    ["qualify", "literature"],
)


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb not in (["regimens"], ["models"], ["qualify"], ["runs"])]
)
def test_every_verb_has_help_with_an_example(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*verb, "--help"]) == 0
    assert f"Example: pkpd {' '.join(verb)}".strip() in " ".join(capsys.readouterr().out.split())


def test_help_loads_nothing_heavy() -> None:
    code = (
        f"import sys; from pkpd.cli.app import run; run(['--help']); sys.exit(any(n in sys.modules for n in {HEAVY}))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_compare_writes_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results"
    given = ["compare", "pss_nct02464319", "placebo", "--patients", "8", "--weeks", "6", "--draws", "2"]
    assert run([*given, "--out", str(out)]) == 0
    written = {path.name for path in out.iterdir()}
    assert {
        "comparison.csv",
        "assumptions.csv",
        "profiles.nc",
        "il2.png",
        "treg.png",
        "nk.png",
        "report.html",
    } <= written
    captured = capsys.readouterr()
    assert "pss_nct02464319" in captured.out and "report:" in captured.out
    assert captured.err == ""


def test_the_dosing_scenarios_are_rerun_on_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["qualify", "dosing", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = {path: [one for one in found["scenarios"] if one["path"] == path] for path in ("exact", "explicit", "stiff")}
    assert [one["scenario"] for one in rows["exact"]] == list(range(1, 30))
    assert {one["oracle"] for one in rows["exact"]} == {"NONMEM"}
    assert all(one["within"] and 0 < one["max_rel_difference"] <= 5e-5 for one in rows["exact"])
    for path in ("explicit", "stiff"):
        assert [one["scenario"] for one in rows[path]] == [number for number in range(1, 30) if number != 28]
        assert {one["oracle"] for one in rows[path]} == {"exact path"}
        assert all(one["within"] and 0 < one["max_rel_difference"] <= found["agreement"] for one in rows[path])
    assert [(one["scenario"], one["path"]) for one in found["not_shared"]] == [(28, "explicit"), (28, "stiff")]
    assert found["agreement"] <= 1e-6


def test_json_is_json_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "placebo", "--patients", "4", "--weeks", "1", "--draws", "0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["reference"] == "placebo"
    assert {row["metric"] for row in found["table"]} >= {"treg_peak", "selectivity"}


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "placebo", "--patients", "4", "--weeks", "1", "--draws", "0", "--quiet"]) == 0
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "pss_nct0246431"], "pss_nct02464319"),
        (["compare", "1 MIU sc qd x 5 moons"], "position"),
        (["compare", "nowhere.toml"], "nowhere.toml"),
        (["compare", "placebo", "--patients", "-3"], "at least 2"),
        (["compare", "placebo", "--patients", "many"], "'--patients'"),
        (["compare", "placebo", "--weeks", "1e9"], "between 1 and 520"),
        (["compare", "placebo", "--out", "/proc/nowhere"], "cannot write to folder '/proc/nowhere'"),
        (["compare", "placebo", "--colour", "red"], "--colour"),
        (["compare", "efavaleukin_sle_cohort1"], "cannot be simulated"),
        (["regimens", "show", "pss"], "pss"),
        (["models", "show", "il2"], "il2_sc"),
        (["compere"], "compere"),
    ],
)
def test_a_mistake_is_one_clear_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_the_example_table_is_written_once_and_passes_its_own_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "example", "--out", str(tmp_path)]) == 0
    assert "SIMULATED" in capsys.readouterr().out
    assert run(["data", "check", str(tmp_path / "pss_simulated.csv")]) == 0
    assert "0 errors" in capsys.readouterr().out
    assert run(["data", "example", "--out", str(tmp_path)]) == 2
    assert "nothing was written" in capsys.readouterr().err


def test_lists_and_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["regimens", "list", "--json"]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)]
    assert "pss_nct02464319" in names and "placebo" in names
    assert run(["regimens", "show", "pss_nct02464319"]) == 0
    assert "1 MIU sc qod 14 d on / 14 d off x 3" in capsys.readouterr().out
    assert run(["models", "show", "il2_treg_nk", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {row["symbol"]: row["grade"] for row in shown["parameters"]}["knk"] == "D"
    assert run(["models", "list"]) == 0
    assert "treg_proliferation" in capsys.readouterr().out
