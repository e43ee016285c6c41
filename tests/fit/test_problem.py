"""From a data set to the arrays of a fit: layout, limits, occasions, and what is refused."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from closed_forms import plain_table

from pkpd.dataset import read_dataset
from pkpd.errors import InputError
from pkpd.fit.fit import fit
from pkpd.fit.objective import Approximation, evaluate
from pkpd.fit.problem import problem
from pkpd.fit.table import table
from pkpd.population.expression import Covariate, Theta
from pkpd.population.individual import LogNormal
from pkpd.population.population import Population
from pkpd.population.residual import Additive, BelowLimit, Proportional, UserDensity, exponential


def flat(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
    return {"conc": jnp.broadcast_to(p["base"][None], (2, 3))}


VALUE = np.array([[1.0, 2.0, 3.0], [1.5, 0.5, np.nan]])


def population(error: Any = None, **parameters: Any) -> Population:
    return Population(parameters or {"base": LogNormal(1.5, cv=0.3)}, {"conc": error or Additive(0.5)})


def test_records_of_a_data_set_become_columns_of_subjects() -> None:
    rows = pd.DataFrame(
        {
            "ID": [1, 1, 1, 2, 2, 3, 3, 3, 3],
            "TIME": [0, 1, 2, 0, 3, 0, 1, 2, 4],
            "AMT": [100, 0, 0, 100, 0, 100, 0, 0, 0],
            "EVID": [1, 0, 0, 1, 0, 1, 0, 0, 0],
            "DV": [".", 5, 4, ".", 3, ".", 6, 2, 1],
            "CENS": [0, 0, 0, 0, 0, 0, 0, 0, 1],
            "OCC": [1, 1, 2, 1, 1, 1, 1, 2, 2],
            "WT": [70, 70, 70, 80, 80, 60, 60, 60, 60],
            "CREA": [1, 1, 2, 1, 1, 1, 1, 1, 3],
            "SEX": ["F", "F", "F", "M", "M", "F", "F", "F", "F"],
        }
    )
    found = table(read_dataset(rows, outputs=["conc"], covariates=["WT", "CREA", "SEX"]))
    assert found.subjects == [1, 2, 3]
    assert found.endpoint.tolist() == [["conc", "conc", "conc"], ["conc", "", "conc"], ["", "", "conc"]]
    np.testing.assert_array_equal(found.value, [[5, 3, 6], [4, np.nan, 2], [np.nan, np.nan, 1]])
    assert found.cens.tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert found.covariates["WT"].tolist() == [70, 80, 60]
    assert found.covariates["SEX"].tolist() == ["F", "M", "F"]
    assert found.covariates["CREA"].tolist() == [[1, 1, 1], [1, 1, 1], [2, 1, 1], [2, 1, 3]]
    assert found.occasion is not None
    assert found.occasion.tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 1], [1, 0, 1]]


@pytest.mark.C6
def test_limits_have_the_meaning_of_cens_and_limit() -> None:
    cens = np.array([[1, -1, 1], [0, 0, 0]])
    limit = np.array([[np.nan, np.nan, 0.5], [np.nan] * 3])
    found = {
        method: problem(
            population(Additive(0.5) & BelowLimit(method)), plain_table(VALUE, cens=cens, limit=limit), flat
        )
        for method in ("M1", "M3", "M4")
    }
    m3 = found["M3"].observations["conc"]
    assert np.asarray(m3.low)[0].tolist() == [-np.inf, 2.0, 0.5]
    assert np.asarray(m3.high)[0].tolist() == [1.0, np.inf, 3.0]
    assert np.asarray(m3.measured).tolist() == [[False] * 3, [True, True, False]]
    assert np.asarray(found["M4"].observations["conc"].low)[0].tolist() == [0.0, 2.0, 0.5]
    assert np.asarray(found["M1"].observations["conc"].scored).sum() == 2
    assert found["M1"].censored == () and found["M3"].censored == ("conc",)
    # n log(2 pi) counts what was measured.
    np.testing.assert_allclose(np.asarray(found["M3"].constant), np.log(2 * np.pi) * np.array([1, 1, 0]), rtol=1e-15)


@pytest.mark.C6
@pytest.mark.parametrize("method", ["M3", "M4"])
def test_a_censored_subject_is_integrated_like_any_other(method: str) -> None:
    """Against quadrature over the random effect, of densities written out here."""
    from scipy.integrate import quad
    from scipy.stats import norm

    value, cens = np.array([[1.2], [0.4]]), np.array([[0], [1]])

    def predict(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {"conc": jnp.stack([p["base"], 0.5 * p["base"]])}

    model = Population({"base": LogNormal(1.5, sd=0.4)}, {"conc": Additive(0.5) & BelowLimit(method)})
    data = problem(model, plain_table(value, cens=cens), predict)
    found = evaluate(jnp.asarray(model.packing.start()), model, Approximation("agq", 41), data)

    def joint(z: float) -> float:
        f = 1.5 * np.exp(0.4 * z)
        measured, below = norm.pdf(1.2, f, 0.5), norm.cdf(0.4, f / 2, 0.5)
        if method == "M4":
            measured /= norm.sf(0, f, 0.5)
            below = (below - norm.cdf(0, f / 2, 0.5)) / norm.sf(0, f / 2, 0.5)
        return float(measured * below * norm.pdf(z))

    exact = quad(joint, -9, 9, epsabs=1e-14, epsrel=1e-12, limit=200)[0]
    assert float(found.value[0]) == pytest.approx(-2 * np.log(exact) - np.log(2 * np.pi), abs=1e-7)


@pytest.mark.C7
def test_units_change_the_objective_by_their_jacobian_only() -> None:
    """Observations and volumes in other units: every density by the same factor, nothing else."""
    objective = []
    for unit in (1.0, 1000.0):

        def predict(p: dict[str, jax.Array], unit: float = unit) -> dict[str, jax.Array]:
            return {"conc": unit * jnp.broadcast_to(p["base"][None], (2, 3))}

        model = population(Additive(0.5 * unit))
        data = problem(model, plain_table(unit * VALUE), predict)
        x = jnp.asarray(model.packing.start())
        objective.append(float(evaluate(x, model, Approximation("laplace"), data).value.sum()))
    assert objective[1] - objective[0] == pytest.approx(2 * 5 * np.log(1000.0), abs=1e-8)


@pytest.mark.C7
def test_the_scale_of_estimation_does_not_move_the_objective() -> None:
    spellings = [
        population(base=LogNormal(1.5, cv=0.3)),
        population(base=LogNormal(Theta(1.5, transform="identity"), cv=0.3)),
        population(base=LogNormal(Theta(1.5, lower=0, upper=10), cv=0.3)),
        population(error=Additive(Theta(0.5, lower=0, upper=2)), base=LogNormal(1.5, cv=0.3)),
    ]
    found = []
    for one in spellings:
        data = problem(one, plain_table(VALUE), flat)
        found.append(float(evaluate(jnp.asarray(one.packing.start()), one, Approximation("focei"), data).value.sum()))
    assert np.ptp(found) < 1e-8


@pytest.mark.C7
def test_the_order_of_effects_in_a_block_does_not_move_the_objective() -> None:
    from pkpd.population.omega import Block

    def predict(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {"conc": jnp.stack([p["a"], p["a"] * p["b"]])}

    found = []
    for order in (("a", "b"), ("b", "a")):
        model = Population(
            {"a": LogNormal(1.5, cv=0.3), "b": LogNormal(0.7, cv=0.5)},
            {"conc": exponential(0.2)},
            omega=(Block(order, correlation=0.4),),
        )
        data = problem(model, plain_table(VALUE), predict)
        x = jnp.asarray(model.packing.start())
        found.append(float(evaluate(x, model, Approximation("laplace"), data).value.sum()))
    assert abs(found[1] - found[0]) < 1e-8


def test_a_log_normal_error_is_an_additive_one_of_logarithms_with_the_jacobian() -> None:
    def logged(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {"conc": jnp.log(flat(p)["conc"])}

    found = []
    for error, predict, value in ((exponential(0.4), flat, VALUE), (Additive(0.4), logged, np.log(VALUE))):
        model = population(error)
        data = problem(model, plain_table(value), predict)
        found.append(
            float(evaluate(jnp.asarray(model.packing.start()), model, Approximation("focei"), data).value.sum())
        )
    assert found[0] - found[1] == pytest.approx(2 * np.log(VALUE[~np.isnan(VALUE)]).sum(), abs=1e-10)


MISTAKES: dict[str, tuple[Any, str]] = {
    "endpoint without an error model": (
        lambda: problem(population(), plain_table(VALUE, endpoint="treg"), flat),
        "treg, which has no residual error",
    ),
    "error model without observations": (
        lambda: problem(Population({"base": 1.0}, {"conc": Additive(1), "nk": Additive(1)}), plain_table(VALUE), flat),
        "residual error of nk",
    ),
    "no such covariate": (
        lambda: problem(population(base=Theta(1.0) * Covariate("WT")), plain_table(VALUE), flat),
        "no covariate 'WT'",
    ),
    "no such level": (
        lambda: problem(
            population(base=Theta(1.0) * Covariate("SEX").equals("X")),
            plain_table(VALUE, covariates={"SEX": np.array(["F", "M", "F"])}),
            flat,
        ),
        "never 'X'",
    ),
    "text as a number": (
        lambda: problem(
            population(base=Theta(1.0) * Covariate("SEX")),
            plain_table(VALUE, covariates={"SEX": np.array(["F", "M", "F"])}),
            flat,
        ),
        "is categorical",
    ),
    "an error that changes within a subject": (
        lambda: problem(
            Population({"base": LogNormal(1.0, cv=0.3)}, {"conc": Proportional(Theta(0.1) * Covariate("WT"))}),
            plain_table(VALUE, covariates={"WT": np.full(VALUE.shape, 70.0)}),
            flat,
        ),
        "'conc.sd' depends on 'WT', which changes within a subject",
    ),
    "a missing covariate": (
        lambda: problem(
            population(base=Theta(1.0) * Covariate("WT")),
            plain_table(VALUE, covariates={"WT": np.array([70, np.nan, 60])}),
            flat,
        ),
        "missing for some subjects",
    ),
    "the logarithm of nothing": (
        lambda: problem(population(exponential(0.3)), plain_table(VALUE - 1.0), flat),
        r"row 2 \(subject 1\): 0",
    ),
    "an interval upside down": (
        lambda: problem(population(), plain_table(VALUE, cens=np.ones((2, 3), int), limit=np.full((2, 3), 2.5)), flat),
        "its lower end below its upper one",
    ),
    "M4 of logarithms": (
        lambda: problem(population(exponential(0.3) & BelowLimit("M4")), plain_table(VALUE), flat),
        "take M3",
    ),
    "censored counts": (
        lambda: problem(
            population(UserDensity(lambda y, f, p: -f + y * jnp.log(f))),
            plain_table(VALUE, cens=np.ones((2, 3), int)),
            flat,
        ),
        "UserDensity",
    ),
    "one occasion": (
        lambda: problem(population(base=LogNormal(1.0, occasion_cv=0.3)), plain_table(VALUE), flat),
        "one occasion only",
    ),
    "no starts": (
        lambda: fit(population(), problem(population(), plain_table(VALUE), flat), plain_table(VALUE), starts=0),
        "starts=0",
    ),
}


@pytest.mark.C8
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_its_place(mistake: str) -> None:
    make, words = MISTAKES[mistake]
    with pytest.raises(InputError, match=words):
        make()
