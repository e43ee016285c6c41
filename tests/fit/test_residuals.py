"""Residuals of a linear model, whose weights have a formula; and asymptotic draws for ArviZ."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import plain_table

from pkpd.errors import InputError
from pkpd.fit.fit import Fit, fit
from pkpd.fit.problem import Problem, problem
from pkpd.fit.residuals import residuals
from pkpd.population.individual import LogNormal, Normal
from pkpd.population.population import Population
from pkpd.population.residual import Additive

SUBJECTS, EACH = 30, 4


@pytest.fixture(scope="module")
def linear() -> SimpleNamespace:
    """y = mean + slope t + e, with both random."""
    rng = np.random.default_rng(5)
    time = np.array([0.0, 1.0, 2.0, 4.0])

    def predict(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {"y": p["mean"][None] + p["slope"][None] * time[:, None]}

    value = rng.normal(5.0, 1.0, SUBJECTS) + rng.normal(1.0, 0.3, SUBJECTS) * time[:, None]
    value = value + rng.normal(0, 0.5, (EACH, SUBJECTS))
    table = plain_table(value, "y")
    population = Population({"mean": Normal(4.0, sd=0.8), "slope": Normal(0.8, sd=0.2)}, {"y": Additive(0.7)})
    data: Problem = problem(population, table, predict)
    found: Fit = fit(population, data, table, covariance="r")
    return SimpleNamespace(value=value, time=time, population=population, data=data, found=found)


def test_residuals_of_a_linear_model(linear: SimpleNamespace) -> None:
    found, value, time = linear.found, linear.value, linear.time
    estimates = found.estimates
    spread = np.stack([np.full(EACH, estimates["omega.mean"]), estimates["omega.slope"] * time], axis=1)
    typical = (estimates["mean"] + estimates["slope"] * time)[:, None]
    values, vectors = np.linalg.eigh(spread @ spread.T + estimates["y.sd"] ** 2 * np.eye(EACH))
    weighted = vectors @ ((vectors.T @ (value - typical)) / np.sqrt(values)[:, None])
    one = residuals(linear.population, found.x, found.z, linear.data, interaction=True)
    np.testing.assert_allclose(one.cwres, weighted, atol=1e-9)
    np.testing.assert_allclose(one.pred, np.broadcast_to(typical, value.shape), rtol=1e-12)
    np.testing.assert_allclose(one.ipred, typical + spread @ found.z, rtol=1e-12)
    np.testing.assert_allclose(one.iwres, (value - one.ipred) / estimates["y.sd"], atol=1e-10)


def test_a_row_that_was_not_measured_has_predictions_and_no_residual(linear: SimpleNamespace) -> None:
    observed = linear.data.observations["y"]
    measured = np.asarray(observed.measured).copy()
    measured[1, 3] = False
    data = jax.tree.map(lambda leaf: leaf, linear.data)
    data.observations["y"] = type(observed)(
        observed.value, observed.low, observed.high, jnp.asarray(measured), observed.scored
    )
    one = residuals(linear.population, linear.found.x, linear.found.z, data, interaction=True)
    assert np.isnan(one.cwres[1, 3]) and np.isnan(one.iwres[1, 3]) and np.isfinite(one.ipred[1, 3])
    assert np.isfinite(one.cwres[[0, 2, 3], 3]).all() and np.isfinite(one.cwres[:, 4]).all()


def test_asymptotic_draws_have_the_covariance_of_the_fit(linear: SimpleNamespace) -> None:
    found = linear.found
    draws = found.to_inferencedata(draws=2000, seed=3)
    posterior = draws.posterior
    assert dict(posterior.sizes) == {"chain": 4, "draw": 2000}
    assert set(posterior.data_vars) == set(found.estimates)
    assert "not a posterior" in posterior.attrs["drawn"]
    for name, se in found.se.items():
        # 8000 draws: the SD of a normal sample is known to 0.8 %; the mean of |x| near 0 is not the estimate.
        assert float(posterior[name].mean()) == pytest.approx(found.estimates[name], abs=0.1 * se)
        assert float(posterior[name].std()) == pytest.approx(se, rel=0.05)
    assert np.array_equal(posterior["mean"], found.to_inferencedata(draws=2000, seed=3).posterior["mean"])


def test_nothing_is_drawn_without_a_covariance(linear: SimpleNamespace) -> None:
    with pytest.raises(InputError, match="no covariance"):
        replace(linear.found, uncertainty=None).to_inferencedata()
    with pytest.raises(InputError, match="draws=0"):
        linear.found.to_inferencedata(draws=0)


def test_log_normal_draws_stay_positive(linear: SimpleNamespace) -> None:
    def predict(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {"y": jnp.broadcast_to(p["level"][None], (EACH, 6))}

    rng = np.random.default_rng(1)
    value = 0.3 * np.exp(rng.normal(0, 1.0, 6)) + rng.normal(0, 0.05, (EACH, 6))
    table = plain_table(value, "y")
    population = Population({"level": LogNormal(0.3, cv=1.0)}, {"y": Additive(0.1)})
    found = fit(population, problem(population, table, predict), table, covariance="r")
    assert float(found.to_inferencedata(draws=500).posterior["level"].min()) > 0
