"""A run file means the population a person writes in Python; every mistake is named with its place."""

import re
from pathlib import Path

import numpy as np
import pytest

import pkpd.engine  # noqa: F401  sets JAX up: 64 bits
from pkpd.errors import InputError
from pkpd.population.expression import fixed
from pkpd.population.individual import LogNormal
from pkpd.population.population import Population
from pkpd.population.residual import BelowLimit, Combined
from pkpd.runs.build import build
from pkpd.runs.file import read_run_file

TABLE = "ID,TIME,AMT,DV,EVID,WT\n1,0,100,.,1,70\n1,1,.,3,0,70\n2,0,100,.,1,60\n2,1,.,2,0,60\n"

TEXT = """
model = "pk_1cmt_oral"

[data]
outputs = ["conc"]
covariates = ["WT"]
units = { AMT = "mg", conc = "mg/L" }

[parameters]
ka = { initial = 1.0, fixed = true }

[parameters.cl]
initial = 3.0
variability = "lognormal"
cv = 0.3
covariates = [{ covariate = "WT", effect = "allometric", exponent = 0.75 }]

[parameters.v]
initial = 30.0
variability = "lognormal"
sd = 0.2

[[omega]]
effects = ["cl", "v"]
correlation = 0.2

[residual.conc]
error = "combined"
additive = 0.1
proportional = 0.2
adding = "sds"
below = "M3"

[priors.cl]
distribution = "lognormal"
median = 3.0
cv = 0.5
"""


def built(folder: Path, text: str = TEXT):  # type: ignore[no-untyped-def]
    (folder / "run.toml").write_text(text)
    (folder / "table.csv").write_text(TABLE)
    return build(read_run_file(folder / "run.toml"), folder / "table.csv")


def test_it_is_the_population_written_in_python(tmp_path: Path) -> None:
    import jax.numpy as jnp
    import numpyro.distributions as d

    from pkpd.population.expression import Covariate
    from pkpd.population.omega import Block

    ours = built(tmp_path)
    theirs = Population(
        parameters={
            "ka": fixed(1.0),
            "cl": LogNormal(3.0, cv=0.3) * (Covariate("WT") / 70) ** 0.75,
            "v": LogNormal(30.0, sd=0.2),
        },
        residual={"conc": Combined(0.1, 0.2, "sds") & BelowLimit("M3")},
        omega=(Block(("cl", "v"), correlation=0.2),),
        priors={"cl": d.LogNormal(np.log(3.0), np.log1p(0.25) ** 0.5)},
    )
    mine = ours.population
    assert sorted(map(repr, mine.packing.free)) == sorted(map(repr, theirs.packing.free))
    assert mine.residuals == theirs.residuals
    x = mine.packing.start() + 0.1
    values = {name: jnp.array([float(value)]) for name, value in mine.packing.values(jnp.asarray(x)).items()}
    etas, covariates = {"cl": jnp.array([0.3]), "v": jnp.array([-0.2])}, {"WT": jnp.array([55.0])}
    for one, other in zip(
        mine.individual(values, etas, covariates), theirs.individual(values, etas, covariates), strict=True
    ):
        assert list(one) == list(other)
    assert mine.individual(values, etas, covariates)[0]["cl"][0] == pytest.approx(
        float(theirs.individual(values, etas, covariates)[0]["cl"][0]), rel=1e-14
    )
    assert float(mine.penalty(jnp.asarray(x))) == pytest.approx(float(theirs.penalty(jnp.asarray(x))), rel=1e-12)
    assert [one.name for one in ours.dataset.endpoints] == ["conc"]


def test_it_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    assert built(tmp_path, "\ufeff" + TEXT).population == built(tmp_path).population


def test_sites_are_named_by_their_column(tmp_path: Path) -> None:
    text = TEXT.replace("cv = 0.3", "cv = 0.3\nsite_sd = 0.1", 1).replace("model =", 'site = "CENTRE"\nmodel =', 1)
    found = built(tmp_path, text).population
    assert found.site == "CENTRE"
    assert found.effects(0) == ("cl", "v", "cl CENTRE")
    assert {one.name: one.initial for one in found.packing.free}["omega_site.cl"] == 0.1


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("model =", 'site = "CENTRE"\nmodel =', r"site 'CENTRE': nothing varies between sites"),
        ("variability", "variabilty", r"parameters.cl.variabilty: no such key; did you mean 'variability'"),
        ('"pk_1cmt_oral"', '"pk_1cmt_orl"', r"model: no model 'pk_1cmt_orl'; closest: pk_1cmt_oral"),
        ('"pk_1cmt_oral"', '"a + b"', r"model: 'a \+ b' is no model"),
        ('"pk_1cmt_oral"', '"none.py:oral"', r"model: there is no file"),
        ("[parameters.v]", "[parameters.vc]", r"parameters.vc: .* no such parameter; (.|\n)*parameters.v: is missing"),
        ("[residual.conc]", "[residual.cons]", r"residual.cons: .*did you mean 'conc'"),
        ('adding = "sds"\n', "", r"residual.conc: error = 'combined' needs adding"),
        ("exponent = 0.75", "slope = 0.75", r"parameters.cl: covariates.0: allometric needs exponent"),
        ("cv = 0.3", "", r"parameters.cl: variability = 'lognormal' without sd"),
        ("cv = 0.3", "cv = -0.3", r"parameters.cl: a spread of -0.3"),
        ("cv = 0.3", "cv = 30", r"parameters.cl: a cv is no percentage: for 30 % write 0.3"),
        ("cv = 0.3", 'cv = { initial = 0.3, transform = "log" }', r"parameters.cl: a spread has no transform"),
        ("exponent = 0.75", "exponent = { initial = 1, fixed = true, lower = 2 }", r"is fixed: leave out lower"),
        (
            'initial = 3.0\nvariability = "lognormal"\ncv = 0.3',
            'initial = 3.0\nvariability = "logitnormal"\nsd = 0.3',
            r"parameters.cl: the initial estimate 3 of a logitnormal parameter is not between lower = 0 and upper = 1",
        ),
        ("correlation = 0.2", "correlation = [0.2]", r"omega.0.correlation: one number for all pairs, or the rows"),
        ("correlation = 0.2", "correlation = [['x']]", r"omega.0.correlation: one number for all pairs, or the rows"),
        ("correlation = 0.2", "correlation = [[0.1, 0.2]]", r"omega: .* of 2 have 1 correlations, those given 2"),
        ("cv = 0.5\n", "", r"priors.cl: a lognormal takes median, cv"),
        ("[priors.cl]", "[priors.clearance]", r"prior of 'clearance': nothing is called so"),
        ('effects = ["cl", "v"]', 'effects = ["cl", "ka"]', r"omega: 'ka' has no random effect"),
        ("initial = 30.0", 'initial = "thirty"', r"parameters.v.initial: input should be a valid number"),
        ("[[omega]]", "[[omega]]\nsame_as = ['v', 'cl']", r"same_as takes the block of v, cl as it is; .* correlation"),
        ("proportional = 0.2", "proportional = 0.2\nupper = 9.0", r"residual.conc: lower and upper go with transform"),
        ("outputs =", "outptus =", r"data: 'outptus' says nothing about a table"),
        ("initial = 30.0\n", "literature = true\n", r"parameters.v: the literature of this model has no 'v'"),
        ("[data]", "[data", r"cannot read the run file"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in TEXT
    with pytest.raises(InputError, match=told):
        built(tmp_path, TEXT.replace(old, new, 1))


def test_mistakes_are_told_together(tmp_path: Path) -> None:
    text = TEXT.replace("cv = 0.3", "cv = -0.3").replace('adding = "sds"', "")
    with pytest.raises(InputError, match=r"run.toml: 2 mistakes\n  parameters.cl.*\n  residual.conc"):
        built(tmp_path, text)


def told(folder: Path, text: str) -> list[str]:
    """The mistakes in `text`, one each."""
    with pytest.raises(InputError) as refused:
        built(folder, text)
    first, *rest = str(refused.value).splitlines()
    return [line.strip() for line in rest] or [first.removeprefix("run.toml: ")]


def test_mistakes_of_spelling_and_of_meaning_are_told_together(tmp_path: Path) -> None:
    """What is unclear is not looked into: that cl varies by nothing known is no second mistake."""
    text = TEXT.replace("cv = 0.3", "vc = 0.3").replace('adding = "sds"', "").replace("correlation", "correlated")
    text = text.replace("[parameters.v]", "[parameters.w]").replace('covariates = ["WT"]', 'covariate = ["WT"]')
    assert [line.partition(":")[0] for line in told(tmp_path, text)] == [
        *("parameters.cl.vc", "omega.0.correlated", "data", "parameters.w", "parameters.v", "residual.conc")
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("model =", "modle =", ["model: is missing", "modle: no such key; did you mean 'model'.*"]),
        ("[priors.cl]", "[priors.cl]\nmu = 3", ["priors.cl.mu: no such key.*"]),
        ("[priors.cl]", "[method]\nmethd = 3\n[priors.cl]", ["method.methd: no such key.*"]),
        (
            "[residual.conc]",
            "[residual.cons]\nsdd = 3",
            ["residual.cons.sdd: no such key.*", "residual.cons: .*no such output.*"],
        ),
        (
            TEXT[TEXT.index("[parameters]") : TEXT.index("[[omega]]")],
            "",
            ["parameters: is missing"],
        ),
    ],
)
def test_what_is_unclear_makes_no_further_mistakes(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    assert old in TEXT
    found = told(tmp_path, TEXT.replace(old, new, 1))
    assert len(found) == len(expected)
    assert all(re.fullmatch(one, line) for one, line in zip(expected, found, strict=True)), found


def test_a_model_of_ones_own_is_named_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from pkpd.models.library import model\ndef oral(): return model('pk_1cmt_oral')\n"
    )
    found = built(tmp_path, TEXT.replace("pk_1cmt_oral", "mine.py:oral"))
    assert found.model.symbols == ("ka", "cl", "v")
    with pytest.raises(InputError, match=r"has no 'orl'; it has"):
        built(tmp_path, TEXT.replace("pk_1cmt_oral", "mine.py:orl"))


def test_models_are_joined(tmp_path: Path) -> None:
    from pkpd.runs.model_source import find_model

    assert find_model("il2_sc >> treg_proliferation", tmp_path).name == "il2_sc+treg_proliferation"
