"""Effects of covariates that are wrong for the data, or not what they seem."""

from pathlib import Path

import pytest
from test_run_file import TEXT

from pkpd.errors import InputError
from pkpd.fit.connection import connected
from pkpd.runs.build import Built, build
from pkpd.runs.file import read_run_file

TABLE = "ID,TIME,AMT,DV,EVID,WT,SEX\n" + "".join(
    f"{i},0,100,.,1,70,{sex}\n{i},1,.,3,0,70,{sex}\n" for i, sex in enumerate("FMXM", start=1)
)
EFFECT = '{ covariate = "WT", effect = "allometric", exponent = 0.75 }'


def built(folder: Path, effects: str = EFFECT, units: str = '"mg/L"') -> Built:
    text = TEXT.replace(EFFECT, effects).replace('covariates = ["WT"]', 'covariates = ["WT", "SEX"]')
    (folder / "run.toml").write_text(text.replace('"mg/L"', units))
    (folder / "table.csv").write_text(TABLE)
    return build(read_run_file(folder / "run.toml"), folder / "table.csv")


def test_two_effects_of_one_name(tmp_path: Path) -> None:
    twice = ", ".join([EFFECT.replace("0.75", f"{{ initial = {one} }}") for one in (0.75, 0.5)])
    with pytest.raises(InputError, match="parameters.cl: 2 estimated numbers are called 'cl_WT'; give one a name"):
        built(tmp_path, twice)
    built(tmp_path, twice.replace("initial = 0.5", 'initial = 0.5, name = "cl_WT_2"'))


def test_an_allometric_effect_is_of_kilograms(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"parameters.cl.covariates.0: WT is in g, .* 70 kg; give a reference in g"):
        built(tmp_path, units='"mg/L", WT = "g"')
    built(tmp_path, EFFECT.replace("exponent", "reference = 70000, exponent"), units='"mg/L", WT = "g"')
    built(tmp_path, units='"mg/L", WT = "kg"')


def test_levels_without_a_change_are_named(tmp_path: Path) -> None:
    effect = '{ covariate = "SEX", effect = "categorical", changes = { M = { initial = 0.1 } } }'
    assert built(tmp_path, effect).told == ("cl: F, X of SEX are one level, the one without a change",)
    assert built(tmp_path, effect.replace("M = { initial = 0.1 }", "M = 0.1, X = 0.2")).told == ()


def test_two_effects_that_begin_alike_are_two(tmp_path: Path) -> None:
    twice = ", ".join([EFFECT.replace("0.75", "{ initial = 0.0 }")] * 2)
    with pytest.raises(InputError, match="2 estimated numbers are called 'cl_WT'"):
        built(tmp_path, twice)


def test_levels_that_are_coded_by_numbers(tmp_path: Path) -> None:
    effect = '{ covariate = "WT", effect = "categorical", changes = { 70 = { initial = 0.1 } } }'
    found = built(tmp_path, effect)
    assert connected(found.population, found.model, found.dataset).problem.covariates["WT=70"].tolist() == [1.0] * 4
