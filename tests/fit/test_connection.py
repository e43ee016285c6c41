"""Library-style models joined to data sets: the same fits as in closed form, by each way of solving."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from closed_forms import phenobarbital, reference, theophylline

from pkpd.dataset import Dataset, read_dataset
from pkpd.errors import InputError
from pkpd.fit.connection import Connection, connected
from pkpd.fit.fit import fit
from pkpd.fit.objective import Approximation
from pkpd.fit.scalar import Scalar
from pkpd.models.library import model as library
from pkpd.models.model import OUT, LinearBlock, Model, Parameter, Readout, Response, Route, State
from pkpd.population.expression import Covariate, Theta, fixed
from pkpd.population.individual import LogNormal
from pkpd.population.population import Population
from pkpd.population.residual import Additive

SYMBOLS = (Parameter("ka", "", "1/h"), Parameter("cl", "", "L/h"), Parameter("v", "", "L"))


def oral() -> Model:
    return Model(
        name="oral",
        title="",
        parameters=SYMBOLS,
        linear=LinearBlock(
            states=(State("depot", "mg", ""), State("central", "mg", "")),
            rates=lambda p: {("depot", "central"): p.ka, ("central", OUT): p.cl / p.v},
            readouts=(Readout("conc", "mg/L", "", lambda p: {"central": 1.0 / p.v}, ""),),
            equations=(),
        ),
        routes=(Route("oral", into="depot"),),
    )


def integrated() -> Model:
    """The same as an ODE."""
    return Model(
        name="oral, integrated",
        title="",
        parameters=SYMBOLS,
        responses=(
            Response(
                states=(State("depot", "mg", ""), State("conc", "mg/L", "")),
                inputs=(),
                initial=lambda p: {"depot": 0.0 * p.ka, "conc": 0.0 * p.ka},
                derivative=lambda y, u, p: {
                    "depot": -p.ka * y.depot,
                    "conc": p.ka * y.depot / p.v - p.cl / p.v * y.conc,
                },
                equations=(),
            ),
        ),
        routes=(Route("oral", into="depot"),),
    )


def bolus() -> Model:
    return Model(
        name="bolus",
        title="",
        parameters=SYMBOLS[1:],
        linear=LinearBlock(
            states=(State("central", "mg", ""),),
            rates=lambda p: {("central", OUT): p.cl / p.v},
            readouts=(Readout("conc", "mg/L", "", lambda p: {"central": 1.0 / p.v}, ""),),
            equations=(),
        ),
        routes=(Route("iv", into="central"),),
    )


def theophylline_data() -> Dataset:
    path = reference("theophylline") / "theo_sd.csv"
    return read_dataset(path, outputs={"conc": 2}, units={"AMT": "mg", "conc": "mg/L"})


@pytest.mark.C4
@pytest.mark.reference
@pytest.mark.parametrize(
    ("model", "solver", "same"), [(oral, "auto", 1e-9), (integrated, "rodas5p", 1e-5)], ids=["exact", "stiff"]
)
def test_theophylline_is_the_fit_in_closed_form(model, solver: str, same: float) -> None:  # type: ignore[no-untyped-def]
    population, closed, rows = theophylline(Additive(0.7))
    ours = connected(population, model(), theophylline_data(), method=solver)
    expected, found = (
        fit(population, closed, rows, covariance="r"),
        fit(population, ours.problem, ours.table, covariance="r"),
    )
    assert found.converged
    assert found.ofv == pytest.approx(116.803, abs=0.005)
    assert found.ofv == pytest.approx(expected.ofv, abs=same)
    for name, value in expected.estimates.items():
        assert found.estimates[name] == pytest.approx(value, rel=same)
        assert found.se[name] == pytest.approx(expected.se[name], rel=10 * same)


@pytest.mark.C4
@pytest.mark.reference
def test_phenobarbital_by_the_engine_is_nonmems() -> None:
    population, _, _ = phenobarbital()
    path = reference("phenobarbital") / "pheno.dta"
    dataset = read_dataset(path, outputs=["conc"], covariates=["WGT", "APGR"], units={"AMT": "mg", "conc": "mg/L"})
    ours = connected(population, bolus(), dataset)
    found = fit(population, ours.problem, ours.table)
    assert found.converged
    assert found.ofv == pytest.approx(586.276, abs=0.005)
    assert found.se["cl"] == pytest.approx(0.000210036, rel=0.01)


def small(tmp_path) -> Dataset:  # type: ignore[no-untyped-def]
    lines = ["ID,TIME,AMT,DV,EVID,W"]
    for subject in (1, 2):
        lines += [f"{subject},0,100,.,1,1", f"{subject},1,.,3,0,1", f"{subject},4,.,2,0,1"]
    path = tmp_path / "small.csv"
    path.write_text("\n".join(lines))
    return read_dataset(path, outputs=["conc"], covariates=["W"], units={"AMT": "mg", "conc": "mg/L"})


def population(**changed: object) -> Population:
    parameters = {"ka": fixed(1.0), "cl": LogNormal(3.0, cv=0.3), "v": Theta(30.0)} | changed
    return Population(parameters=parameters, residual={"conc": Additive(0.3)})


def test_only_scored_records_are_predicted(tmp_path) -> None:  # type: ignore[no-untyped-def]
    ours = connected(population(), oral(), small(tmp_path))
    found = ours.problem.predict({name: np.full(2, value) for name, value in (("ka", 1.0), ("cl", 3.0), ("v", 30.0))})
    t = np.array([[1.0, 1.0], [4.0, 4.0]])
    exact = 100 / 30 / 0.9 * (np.exp(-0.1 * t) - np.exp(-t))
    np.testing.assert_allclose(found["conc"], exact, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.B6
def test_the_gradient_where_steady_states_are_integrated(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """FOCEI asks for second derivatives of predictions, which start from a fixed point here; against differences."""
    rows = ["ID,TIME,AMT,DV,EVID,SS,II"]
    for subject, share in ((1, 0.9), (2, 1.2)):
        seen = ((1, 25.0), (6, 20.0), (12, 15.0), (23, 9.0))
        rows += [f"{subject},0,1000,.,1,1,24", *(f"{subject},{hour},.,{share * value},0,0,0" for hour, value in seen)]
    path = tmp_path / "steady.csv"
    path.write_text("\n".join(rows))
    data = read_dataset(path, outputs=["conc"], units={"AMT": "mg", "conc": "mg/L"})
    population = Population({"v": LogNormal(50.0, cv=0.3), "vmax": 80.0, "km": 10.0}, {"conc": Additive(2.0)})
    scalar = Scalar(population, Approximation("focei"), connected(population, library("pk_1cmt_iv_mm"), data).problem)
    x = np.asarray(population.packing.start())
    gradient = scalar.value(x)[1]
    ends = [[scalar.value(x + sign * move)[0] for sign in (1, -1)] for move in 1e-4 * np.eye(len(x))]
    np.testing.assert_allclose(gradient, [(up - down) / 2e-4 for up, down in ends], atol=1e-5 * np.abs(gradient).max())


def test_what_is_said_again_is_not_compiled_again(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """The same population, written anew, on the same model and a table of the same shape."""
    asked = []
    body = oral()
    assert body.linear is not None
    rates = body.linear.rates

    def counted(p):  # type: ignore[no-untyped-def]
        asked.append(p)
        return rates(p)

    body = replace(body, linear=replace(body.linear, rates=counted))
    found = []
    for sd in (0.3, 0.3, 0.4):
        population = Population({"ka": 1.0, "cl": LogNormal(3.0, cv=0.3), "v": 30.0}, {"conc": Additive(sd)})
        scalar = Scalar(population, Approximation("focei"), connected(population, body, small(tmp_path)).problem)
        asked.clear()
        value = scalar.value(population.packing.start())[0]
        found.append((value, bool(asked)))
    (first, compiled), second, (other, anew) = found
    assert compiled
    assert second == (first, False)
    assert anew
    assert other != first


def test_what_does_not_fit_together_is_told(tmp_path) -> None:  # type: ignore[no-untyped-def]
    data = small(tmp_path)
    with pytest.raises(InputError, match="unknown kel"):
        connected(population(kel=0.1), oral(), data)
    other = Population(parameters={"ka": 1.0, "cl": 3.0, "v": 30.0}, residual={"treg": Additive(0.3)})
    with pytest.raises(InputError, match="residual error of treg: model 'oral' has the outputs conc"):
        connected(other, oral(), data)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ka": fixed(-1.0)}, r"at the initial estimates, parameter 'ka' of subject 1 is -1 1/h; .* between 0 and inf"),
        ({"v": -30.0}, r"parameter 'v' of subject 1 is -30 L"),
        ({"v": 30.0 * (1.0 - 2.0 * Covariate("W"))}, r"parameter 'v' of subject 1 is -30 L"),
        ({"ka": 0.0}, r"'ka' of subject 1 begins at 0, on the model's bound"),
        ({"cl": LogNormal(Theta(2.0, lower=-5.0), cv=0.3)}, r"'cl': the lower bound -5 is below that of the model, 0"),
    ],
)
def test_an_estimate_out_of_the_model_s_bounds(tmp_path, changed, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        connected(population(**changed), library("pk_1cmt_oral"), small(tmp_path))


def test_a_model_that_needs_another_is_not_fitted(tmp_path) -> None:  # type: ignore[no-untyped-def]
    alone = Population(
        parameters={"kin": LogNormal(1.0, cv=0.3), "kout": 0.1, "imax": 0.5, "ic50": 1.0},
        residual={"response": Additive(0.5)},
    )
    path = tmp_path / "response.csv"
    path.write_text("ID,TIME,DV\n1,0,10\n1,4,9\n2,0,11\n2,4,10\n")
    data = read_dataset(path, outputs=["response"], units={"response": "1"})
    with pytest.raises(InputError, match="'indirect_response_1' needs conc from a model on its left"):
        connected(alone, library("indirect_response_1"), data)


def changing_data(tmp_path, changes: int) -> Dataset:  # type: ignore[no-untyped-def]
    """Three subjects whose covariate W goes up `changes` times."""
    lines, rng = ["ID,TIME,AMT,DV,EVID,W"], np.random.default_rng(1)
    for subject in (1, 2, 3):
        lines.append(f"{subject},0,100,.,1,1")
        lines += [f"{subject},{t},.,{rng.uniform(1, 3):.3f},0,{1 + 0.1 * min(t, changes)}" for t in range(1, 12)]
    path = tmp_path / "changing.csv"
    path.write_text("\n".join(lines))
    return read_dataset(path, outputs=["conc"], covariates=["W"], units={"AMT": "mg", "conc": "mg/L"})


def test_covariates_are_carried_as_they_are_declared(tmp_path) -> None:  # type: ignore[no-untyped-def]
    changing_data(tmp_path, 3)
    table = pd.read_csv(tmp_path / "changing.csv")
    table["V"], table["OCC"] = table["W"], 1 + (table["TIME"] > 6)
    table.to_csv(tmp_path / "changing.csv", index=False)

    def joined(*covariates: str, **rules: str) -> Connection:
        effect = LogNormal(3.0, cv=0.3, occasion_cv=None if covariates else 0.1)
        for name in covariates:
            effect = effect * Covariate(name)
        declared = {name: {"carry": rule} for name, rule in rules.items()}
        data = read_dataset(
            tmp_path / "changing.csv", outputs=["conc"], covariates=declared, units={"AMT": "mg", "conc": "mg/L"}
        )
        return connected(population(cl=effect), oral(), data)

    assert joined("W", W="locf", V="nocb").prepared.carry == "locf"  # what nobody uses has no say
    assert joined("V", W="locf", V="nocb").prepared.carry == "nocb"
    # Where none is used occasions go as all of them would: a covariate more in the model does not move them.
    assert joined(W="locf", V="locf").prepared.carry == "locf"
    assert joined(W="locf", V="nocb").prepared.carry == "nocb"
    with pytest.raises(InputError, match="by one rule, and these by several: W by locf, V by nocb; declare the same"):
        joined("W", "V", W="locf", V="nocb")


def test_parameters_that_change_in_time_have_the_same_objective_by_every_way(tmp_path) -> None:  # type: ignore[no-untyped-def]
    changing = population(cl=LogNormal(3.0, cv=0.3) * Covariate("W"))
    x = changing.packing.start()
    found = []
    # Expanded in pieces of time; beyond the limit of pieces, differentiated backwards as it is.
    for model, changes in ((oral(), 3), (integrated(), 3), (oral(), 11)):
        ours = connected(changing, model, changing_data(tmp_path, changes))
        assert ours.prepared.carry == "nocb"
        found.append(Scalar(changing, Approximation("focei"), ours.problem).value(x))
    (exact, slope, _), (stiff, stiff_slope, _), (many, many_slope, _) = found
    assert stiff == pytest.approx(exact, abs=1e-5)
    np.testing.assert_allclose(stiff_slope, slope, atol=1e-5 * np.abs(slope).max())
    ours = connected(changing, oral(), changing_data(tmp_path, 11))
    scalar = Scalar(changing, Approximation("focei"), ours.problem)
    h = 1e-5
    compared = [(scalar.value(x + step)[0] - scalar.value(x - step)[0]) / (2 * h) for step in h * np.eye(len(x))]
    assert np.isfinite(many)
    np.testing.assert_allclose(many_slope, compared, atol=1e-6 * np.abs(compared).max())
    with pytest.raises(InputError, match="cl changes 11 times between the records of a subject, and 'oral, integ"):
        connected(changing, integrated(), changing_data(tmp_path, 11))


def test_a_subject_with_fewer_observations_is_predicted_as_alone(tmp_path) -> None:  # type: ignore[no-untyped-def]
    lines = [
        "ID,TIME,AMT,DV,EVID",
        "1,0,100,.,1",
        "1,1,.,3,0",
        "1,4,.,2,0",
        "1,9,.,1,0",
        "2,0,50,.,1",
        "2,1,.,3,0",
        "2,12,50,.,1",
    ]
    predicted = []
    for k, part in enumerate((lines, [lines[0], *lines[5:]])):
        path = tmp_path / f"part{k}.csv"
        path.write_text("\n".join(part))
        data = read_dataset(path, outputs=["conc"], units={"AMT": "mg", "conc": "mg/L"})
        ours = connected(population(), integrated(), data)
        numbers = {"ka": 1.0, "cl": 3.0, "v": 30.0}
        subjects = len(data.subjects)
        predicted.append(
            ours.problem.predict({name: np.full(subjects, value) for name, value in numbers.items()})["conc"]
        )
    both, alone = predicted
    np.testing.assert_allclose(both[0, 1], alone[0, 0], rtol=1e-6)
    t = np.array([1.0, 4.0, 9.0])
    np.testing.assert_allclose(both[:, 0], 100 / 30 / 0.9 * (np.exp(-0.1 * t) - np.exp(-t)), rtol=1e-6)
