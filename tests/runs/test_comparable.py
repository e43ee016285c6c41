"""Which objectives are of the same likelihood, and may be subtracted."""

import json
from pathlib import Path

import pytest
from test_run_file import TEXT

from pkpd.fit.connection import connected
from pkpd.models.library import model
from pkpd.population.priors import literature_prior, said
from pkpd.runs.build import build
from pkpd.runs.compare import compared
from pkpd.runs.file import read_run_file
from pkpd.runs.results import scored

TABLE = """ID,TIME,AMT,DV,EVID,WT,CENS,LLOQ
1,0,100,.,1,70,0,.
1,1,.,3,0,70,0,.
1,9,.,0.1,0,70,1,0.1
2,0,100,.,1,60,0,.
2,1,.,2,0,60,0,.
2,9,.,0.1,0,60,1,0.1
"""
OWN = """from pkpd.models.absorption import first_order
from pkpd.models.pk import pk
ug = pk(first_order(), amount="ug")
"""
ROWS = "other rows scored of conc"


def without(condition: str) -> str:
    return TEXT.replace("[parameters]", f'ignore = ["{condition}"]\n[parameters]')


CASES = {
    "as it is": (TEXT, ""),
    "M3 is the default": (TEXT.replace('below = "M3"', ""), ""),
    "M1": (TEXT.replace('"M3"', '"M1"'), ROWS),
    "M4": (TEXT.replace('"M3"', '"M4"'), "another `below` of conc"),
    "rows left out": (without("CENS == 1"), ROWS),
    "another subject": (without("ID == 2"), ROWS),
    "another unit": (TEXT.replace('"pk_1cmt_oral"', '"own.py:ug"'), "another unit of conc"),
}


def run_folder(folder: Path, name: str, text: str) -> Path:
    """A run as far as it is compared, not fitted."""
    (folder / "table.csv").write_text(TABLE)
    (folder / "own.py").write_text(OWN)
    (folder / "run.toml").write_text(text)
    built = build(read_run_file(folder / "run.toml"), folder / "table.csv")
    of = scored(built.population, built.model, connected(built.population, built.model, built.dataset))
    place = folder / name
    place.mkdir()
    place.joinpath("manifest.json").write_text(json.dumps({"sha256": {"data": "one"}}))
    common = {"ofv": 1.0, "convention": "", "method": "focei", "nodes": 1, "observations": 2}
    place.joinpath("fit.json").write_text(json.dumps(common | {"scored": of}))
    return place


@pytest.mark.parametrize("other", CASES)
def test_only_objectives_of_the_same_rows_and_unit_are_subtracted(tmp_path: Path, other: str) -> None:
    text, note = CASES[other]
    rows = compared([run_folder(tmp_path, "base", TEXT), run_folder(tmp_path, "next", text)])
    assert rows[1]["delta_ofv"] == (None if note else 0.0)
    if note:
        assert rows[1]["note"] == f"next: no difference of objectives: {note}"


def test_objectives_with_other_priors_are_not_subtracted(tmp_path: Path) -> None:
    base, other = run_folder(tmp_path, "base", TEXT), run_folder(tmp_path, "next", TEXT)
    said = json.loads((other / "fit.json").read_text())
    (other / "fit.json").write_text(json.dumps(said | {"priors": {"cl": "Normal(loc=1.0, scale=0.5)"}}))
    rows = compared([base, other])
    assert rows[1]["delta_ofv"] is None
    assert rows[1]["note"] == "next: no difference of objectives: other priors"


def test_a_base_that_is_not_there_is_told(tmp_path: Path) -> None:
    base, other = run_folder(tmp_path, "base", TEXT), run_folder(tmp_path, "next", TEXT)
    (other / "manifest.json").write_text(json.dumps({"sha256": {"data": "one"}, "parent": "runs/gone"}))
    rows = compared([base, other])
    assert rows[1]["note"] == "next: it is based on 'gone', which is not among these, and compared with base"


def test_priors_are_written_the_same_in_every_process() -> None:
    """By the names of their parameters: the order of a distribution's leaves is another in each."""
    from numpyro.distributions import LogNormal, Normal

    assert said(Normal(1.0, 0.5)) == "Normal(loc=1.0, scale=0.5)"
    for prior in literature_prior(model("il2_sc_minimal")).values():
        assert said(prior).startswith("LogNormal(base_dist=Normal(loc=")
    assert said(LogNormal(1.0, 0.5)).startswith("LogNormal(base_dist=Normal(loc=1.0, scale=0.5), loc=1.0, scale=0.5")
