"""Derivatives of the objective against differences of the fully converged objective, taken here and only here."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import one_compartment_oral, plain_table

from pkpd.engine.compiler import quickly
from pkpd.fit.objective import Approximation, evaluate
from pkpd.fit.problem import Problem, problem
from pkpd.fit.scalar import Scalar
from pkpd.population.expression import Covariate, Theta
from pkpd.population.individual import LogNormal
from pkpd.population.omega import Block
from pkpd.population.population import Population
from pkpd.population.residual import BelowLimit, Combined

TIMES = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 12.0])
SUBJECTS = 6


@pytest.fixture(scope="module")
def oral() -> tuple[Population, Problem]:
    """Six subjects, a block of Omega, a covariate, combined error, observations below the limit, and padding."""
    rng = np.random.default_rng(7)
    weight = rng.normal(70, 10, SUBJECTS)
    time = jnp.asarray(np.repeat(TIMES[:, None], SUBJECTS, axis=1))
    predict = one_compartment_oral(time, jnp.full(SUBJECTS, 100.0))
    truth = {
        name: jnp.asarray(value * np.exp(rng.normal(0, 0.3, SUBJECTS)))
        for name, value in (("ka", 1.0), ("cl", 3.0), ("v", 20.0))
    }
    value = np.asarray(predict(truth)["conc"]) * np.exp(rng.normal(0, 0.15, time.shape))
    limit = 0.9
    cens = np.where(value < limit, 1, 0)
    value = np.where(cens == 1, limit, value)
    value[4:, 2] = np.nan
    population = Population(
        parameters={
            "ka": LogNormal(1.2, cv=0.4),
            "cl": LogNormal(2.5, cv=0.3) * (Covariate("weight") / 70) ** Theta(0.6, name="cl_weight"),
            "v": LogNormal(22.0, cv=0.2),
        },
        residual={"conc": Combined(0.1, 0.15) & BelowLimit("M3")},
        omega=(Block(("cl", "v"), correlation=0.3),),
    )
    table = plain_table(value, cens=cens, covariates={"weight": weight})
    assert (cens == 1).sum() >= 3
    return population, problem(population, table, predict)


def summed(x: np.ndarray, oral: tuple[Population, Problem], approximation: Approximation) -> float:
    found = evaluate(jnp.asarray(x), oral[0], approximation, oral[1])
    assert not np.asarray(found.failed).any()
    return float(found.value.sum())


def differences(f, x: np.ndarray, h: float) -> np.ndarray:
    """Fourth-order central differences of f along each element of x."""
    units = np.eye(len(x)) * h
    return np.stack([(8 * (f(x + u) - f(x - u)) - (f(x + 2 * u) - f(x - 2 * u))) / (12 * h) for u in units])


@pytest.mark.B6
@pytest.mark.parametrize(
    "approximation",
    [
        Approximation("fo"),
        Approximation("foce"),
        Approximation("focei"),
        Approximation("laplace"),
        Approximation("agq", 3),
    ],
    ids=lambda one: one.method,
)
def test_the_gradient_is_exact(approximation: Approximation, oral: tuple[Population, Problem]) -> None:
    x = oral[0].packing.start()
    x = x + 0.05 * np.cos(np.arange(len(x)))
    exact = np.asarray(evaluate(jnp.asarray(x), oral[0], approximation, oral[1]).score.sum(axis=1))
    compared = differences(lambda at: summed(at, oral, approximation), x, 1e-3)
    # The differences themselves are good to some 1e-9: h^4 and the rounding of the objective over h.
    np.testing.assert_allclose(exact, compared, rtol=0, atol=1e-7 * np.abs(compared).max())


@pytest.mark.B6
def test_second_derivatives_are_exact(oral: tuple[Population, Problem]) -> None:
    focei = Approximation("focei")
    x = oral[0].packing.start()
    exact = Scalar(oral[0], focei, oral[1]).hessian(np.asarray(x))
    compared = differences(
        lambda at: np.asarray(evaluate(jnp.asarray(at), oral[0], focei, oral[1]).score.sum(axis=1)), x, 1e-3
    )
    np.testing.assert_allclose(exact, compared, rtol=0, atol=1e-6 * np.abs(compared).max())
    np.testing.assert_array_equal(exact, exact.T)


@pytest.mark.B6
def test_the_mode_moves_as_the_implicit_function_says(oral: tuple[Population, Problem]) -> None:
    from pkpd.fit.individual import Individual
    from pkpd.fit.mode import modes
    from pkpd.fit.place import mode_at, placed

    population, data = oral
    individual = Individual(population, interaction=True)

    def z(x: jax.Array) -> jax.Array:
        values = population.packing.values(jnp.broadcast_to(x[:, None], (x.shape[0], SUBJECTS)))
        held = jax.lax.stop_gradient(values)
        place = placed(individual, values, data, 1, 2, modes(individual, held, None, data))
        return mode_at(individual, values, place, 1)[0]

    x = jnp.asarray(population.packing.start())
    exact = np.moveaxis(np.asarray(quickly(jax.jacfwd(z))(x)), -1, 0)
    at = quickly(z)
    compared = differences(lambda here: np.asarray(at(jnp.asarray(here))), np.asarray(x), 1e-3)
    np.testing.assert_allclose(exact, compared, rtol=0, atol=1e-7 * np.abs(compared).max())


@pytest.mark.B7
def test_gradients_stay_finite_where_omega_vanishes(oral: tuple[Population, Problem]) -> None:
    population, data = oral
    at = population.packing.start()
    names = population.packing.names
    at[names.index("omega.ka")] = 0.0
    at[names.index("omega_chol.v.v")] = 1e-9
    found = evaluate(jnp.asarray(at), population, Approximation("focei"), data)
    assert np.isfinite(np.asarray(found.value)).all()
    assert np.isfinite(np.asarray(found.score)).all()
    # The objective is even in a standard deviation: flat where that is 0.
    assert abs(np.asarray(found.score.sum(axis=1))[names.index("omega.ka")]) < 1e-9


@pytest.mark.F8
@pytest.mark.parametrize("method", ["fo", "foce", "focei", "laplace"])
def test_second_derivatives_by_rows_are_those_by_pairs(
    oral: tuple[Population, Problem], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forwards over backwards, as where there is much to do, and twice forwards: the same numbers."""
    from pkpd.fit import hessian

    population, data = oral
    x = jnp.asarray(population.packing.start())
    found = []
    for large in (True, False):
        monkeypatch.setattr(hessian, "_large", lambda parameters, place, approximation, large=large: large)
        found.append(Scalar(population, Approximation(method), data).hessian(np.asarray(x)))
    np.testing.assert_allclose(*found, rtol=1e-10, atol=1e-10 * np.abs(found[0]).max())
