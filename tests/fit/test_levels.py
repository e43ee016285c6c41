"""Occasions, several endpoints, and nobody differing: linear models, whose likelihood is a normal density."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import plain_table
from scipy.stats import multivariate_normal

from pkpd.fit.fit import fit
from pkpd.fit.objective import Approximation, evaluate
from pkpd.fit.pooled import individual_estimates, pooled
from pkpd.fit.problem import problem
from pkpd.fit.shrinkage import eta_shrinkage
from pkpd.population.individual import BoxCox, Normal
from pkpd.population.population import Population
from pkpd.population.residual import Additive

SUBJECTS, RECORDS = 5, 6
OCCASION = np.repeat(np.array([0, 0, 1, 1, 1, 2])[:, None], SUBJECTS, axis=1)


def drawn() -> np.ndarray:
    return 3.0 + np.random.default_rng(4).normal(0, 1, (RECORDS, SUBJECTS))


@pytest.mark.C2
@pytest.mark.parametrize("approximation", [Approximation("focei"), Approximation("laplace"), Approximation("fo")])
def test_occasions_add_their_variance_to_the_records_of_an_occasion(approximation: Approximation) -> None:
    def predict(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {"y": p["mean"]}

    value = drawn()
    population = Population({"mean": Normal(2.5, sd=0.8, occasion_sd=0.4)}, {"y": Additive(0.6)})
    data = problem(population, plain_table(value, "y", occasion=OCCASION), predict)
    same = OCCASION[:, :1] == OCCASION[:, :1].T
    variance = 0.64 + 0.16 * same + 0.36 * np.eye(RECORDS)
    normal = multivariate_normal(np.full(RECORDS, 2.5), variance)
    expected = -2 * normal.logpdf(value.T) - RECORDS * np.log(2 * np.pi)
    found = evaluate(jnp.asarray(population.packing.start()), population, approximation, data)
    np.testing.assert_allclose(np.asarray(found.value), expected, atol=1e-10)


def test_shrinkage_between_occasions_counts_those_that_a_subject_has() -> None:
    """By the conditional mean of a normal density; the last two subjects have no third occasion."""

    def predict(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {"y": p["mean"]}

    value, occasion = drawn(), OCCASION.copy()
    occasion[-1, -2:] = 1
    population = Population({"mean": Normal(2.5, sd=0.8, occasion_sd=0.4)}, {"y": Additive(0.6)})
    data = problem(population, plain_table(value, "y", occasion=occasion), predict)
    x = population.packing.start()
    z = np.asarray(evaluate(jnp.asarray(x), population, Approximation("focei"), data).z)
    etas = []
    for mine, y in zip(occasion.T, value.T, strict=True):
        of = 0.4**2 * (mine == np.arange(3)[:, None])
        variance = 0.64 + 0.16 * (mine[:, None] == mine) + 0.36 * np.eye(RECORDS)
        etas.append((of @ np.linalg.solve(variance, y - 2.5))[: mine.max() + 1])
    found = eta_shrinkage(population, x, z, data)
    assert list(found) == ["mean", "mean OCC"]
    assert found["mean OCC"] == pytest.approx(1 - np.sqrt((np.concatenate(etas) ** 2).mean()) / 0.4, abs=1e-9)


@pytest.mark.C2
def test_endpoints_share_the_random_effects_of_a_subject() -> None:
    endpoint = np.where(np.arange(RECORDS)[:, None] % 2 == 0, "a", "b") + np.full((1, SUBJECTS), "")

    def predict(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        both = jnp.broadcast_to(p["mean"][None], (RECORDS, SUBJECTS))
        return {"a": both, "b": 2.0 * both}

    value = drawn()
    population = Population({"mean": Normal(2.5, sd=0.8)}, {"a": Additive(0.6), "b": Additive(1.1)})
    data = problem(population, plain_table(value, endpoint=endpoint), predict)
    slope = np.where(np.arange(RECORDS) % 2 == 0, 1.0, 2.0)
    variance = 0.64 * np.outer(slope, slope) + np.diag(np.where(slope == 1, 0.36, 1.21))
    expected = -2 * multivariate_normal(2.5 * slope, variance).logpdf(value.T) - RECORDS * np.log(2 * np.pi)
    found = evaluate(jnp.asarray(population.packing.start()), population, Approximation("focei"), data)
    np.testing.assert_allclose(np.asarray(found.value), expected, atol=1e-10)


def test_pooling_takes_everybody_for_one() -> None:
    def predict(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {"y": jnp.broadcast_to(p["mean"][None], (RECORDS, SUBJECTS))}

    value = drawn()
    varying = Population({"mean": Normal(2.5, sd=0.8)}, {"y": Additive(0.6)})
    table = plain_table(value, "y")
    one = pooled(varying)
    found = fit(one, problem(one, table, predict), table, covariance="r")
    assert found.estimates == pytest.approx({"mean": value.mean(), "y.sd": value.std()}, rel=1e-6)
    assert found.ofv == pytest.approx(value.size * (2 * np.log(value.std()) + 1), abs=1e-8)
    assert found.se["mean"] == pytest.approx(value.std() / np.sqrt(value.size), rel=1e-5)
    assert found.etas == {}


def test_pooling_keeps_the_priors_of_what_is_left() -> None:
    from numpyro.distributions import HalfNormal
    from numpyro.distributions import Normal as Gauss

    priors = {"mean": Gauss(2.0, 1.0), "omega.mean": HalfNormal(1.0), "mean.shape": Gauss(0.0, 0.5)}
    one = pooled(Population({"mean": BoxCox(2.5, sd=0.8)}, {"y": Additive(0.6)}, priors=priors))
    assert list(one.priors) == ["mean"]


def test_individual_estimates_are_the_modes() -> None:
    def predict(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {"y": jnp.broadcast_to(p["mean"][None], (RECORDS, SUBJECTS))}

    value = drawn()
    population = Population({"mean": Normal(2.5, sd=0.8)}, {"y": Additive(0.6)})
    data = problem(population, plain_table(value, "y"), predict)
    found = individual_estimates(population, data, population.packing.start())["mean"]
    weight = 0.64 / (0.64 + 0.36 / RECORDS)
    np.testing.assert_allclose(found, weight * (value.mean(axis=0) - 2.5), atol=1e-10)
