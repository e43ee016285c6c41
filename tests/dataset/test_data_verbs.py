"""`pkpd data check` and `pkpd data plot` as a user types them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pkpd.cli.data import app
from pkpd.errors import InputError

GOOD = "ID,TIME,AMT,DV,ARM\n1,0,100,.,a\n1,1,0,5,a\n2,0,100,.,b\n2,1,0,0.5,b\n"
BROKEN = "ID;TIME;AMT;DV\n1;1;0;5\n1;0;100;7\n2;0;-100;.\n2;x;0;5,5\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.csv").write_text(GOOD)
    (tmp_path / "broken.csv").write_text(BROKEN)
    return tmp_path


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_good_table_exits_with_0(folder: Path):
    result = run("check", folder / "good.csv")
    assert result.exit_code == 0
    assert "2 subjects, 4 rows" in result.stdout
    assert "ready to be used" in result.stdout


def test_a_broken_table_exits_with_2_and_says_everything(folder: Path):
    result = run("check", folder / "broken.csv")
    assert result.exit_code == 2
    for said in ("E-ORDER", "E-DV", "E-DOSE", "E-VALUE", "row 3, ID 1", "row 4, ID 2", "row 5, ID 2"):
        assert said in result.stdout


def test_json_is_json_and_nothing_else(folder: Path):
    plain = json.loads(run("check", folder / "broken.csv", "--json").stdout)
    assert plain["ok"] is False
    order = next(finding for finding in plain["findings"] if finding["code"] == "E-ORDER")
    assert order["places"] == [{"row": 3, "id": "1", "value": "0"}]
    assert order["severity"] == "error"
    assert json.loads(run("check", folder / "good.csv", "--json").stdout)["summary"]["subjects"] == 2


def test_fix_writes_a_copy_and_the_list(folder: Path):
    (folder / "order.csv").write_text("ID;TIME;AMT;DV\n1;1;0;5,5\n1;0;100;.\n")
    result = run("check", folder / "order.csv", "--fix", folder / "out.csv")
    assert result.exit_code == 0, result.stdout
    assert (folder / "out.csv").read_text().startswith("ID,TIME,AMT,DV")
    assert "'5,5' -> '5.5'" in result.stdout
    assert (folder / "out.changes.csv").exists()


def test_fix_that_cannot_mend_everything_still_exits_with_2(folder: Path):
    result = run("check", folder / "broken.csv", "--fix", folder / "out.csv", "--json")
    assert result.exit_code == 2
    plain = json.loads(result.stdout)
    assert {"before": "5,5", "after": "5.5"}.items() <= plain["changes"][0].items()


def test_options_describe_the_table(folder: Path):
    (folder / "said.toml").write_text('strata = ["ARM"]\n[units]\nTIME = "d"\n')
    arguments = ("--description", folder / "said.toml", "--ignore", "ID == 2", "--simulate", "--json")
    plain = json.loads(run("check", folder / "good.csv", *arguments).stdout)
    assert plain["summary"]["subjects"] == 1
    assert plain["summary"]["last_h"] == 24
    assert plain["summary"]["covariates"][0]["role"] == "stratum"


def test_plot_writes_pictures_and_their_numbers(folder: Path):
    (folder / "good.toml").write_text('strata = ["ARM"]\n')
    result = run("plot", folder / "good.csv", "--out", folder / "plots", "--individual", "--scale", "log")
    assert result.exit_code == 0, result.output
    names = {path.name for path in (folder / "plots").iterdir()}
    assert names == {"profiles.png", "after_dose.png", "profiles.csv", "subjects-1.png"}
    assert len((folder / "plots/profiles.csv").read_text().splitlines()) == 3


def test_mistakes_of_use_are_input_errors(folder: Path):
    for arguments in (("plot", folder / "broken.csv"), ("plot", folder / "good.csv", "--by", "SITE")):
        assert isinstance(run(*arguments).exception, InputError)
    assert run("plot", folder / "good.csv", "--scale", "cubic").exit_code == 2
