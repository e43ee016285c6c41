"""Random effects that the subjects of a site share."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import plain_table
from scipy.stats import multivariate_normal

from pkpd.errors import InputError
from pkpd.fit.fit import fit
from pkpd.fit.objective import Approximation, evaluate
from pkpd.fit.problem import Problem, Table, problem
from pkpd.fit.scalar import Scalar
from pkpd.population.individual import LogNormal, Normal
from pkpd.population.omega import Block
from pkpd.population.population import Population
from pkpd.population.residual import Additive, Proportional

SITE = np.array([2, 0, 1, 0, 2, 2, 1, 0])
"""Sites of different size, their subjects not side by side."""
SUBJECTS, RECORDS = len(SITE), 4
TIME = np.array([0.5, 1.0, 3.0, 6.0])[:, None]
METHODS = [Approximation("fo"), Approximation("foce"), Approximation("focei"), Approximation("laplace")]


def value_of(evaluation) -> np.ndarray:  # type: ignore[no-untyped-def]
    """The objective of each site."""
    return np.bincount(SITE, np.asarray(evaluation.value))


def decay(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
    return {"y": 10.0 / p["v"][None] * jnp.exp(-p["k"][None] * TIME)}


def population(**error: float) -> Population:
    return Population(
        {"k": LogNormal(0.3, sd=0.3, site_sd=0.25), "v": LogNormal(2.0, sd=0.2, site_sd=0.15)},
        {"y": Proportional(0.15)},
        omega=(Block(("k", "v"), correlation=0.3),),
    )


def observed(seed: int = 1) -> np.ndarray:
    """SIMULATED."""
    rng = np.random.default_rng(seed)
    k = 0.3 * np.exp(rng.normal(0, 0.3, SUBJECTS) + rng.normal(0, 0.25, 3)[SITE])
    v = 2.0 * np.exp(rng.normal(0, 0.2, SUBJECTS) + rng.normal(0, 0.15, 3)[SITE])
    return 10 / v * np.exp(-k * TIME) * (1 + 0.15 * rng.normal(0, 1, (RECORDS, SUBJECTS)))


def sites(value: np.ndarray) -> Table:
    return plain_table(value, "y", covariates={"SITE": SITE})


@pytest.fixture(scope="module")
def case() -> tuple[Population, Problem, Table]:
    table = sites(observed())
    people = population()
    return people, problem(people, table, decay), table


def as_occasions(value: np.ndarray) -> tuple[Population, Problem]:
    """The same told in other words: a site is a subject, and its subjects are that subject's occasions."""
    members = [np.flatnonzero(site == SITE) for site in range(3)]
    most = max(map(len, members))
    rows = np.full((most * RECORDS, 3), np.nan)
    for site, who in enumerate(members):
        rows[: len(who) * RECORDS, site] = value[:, who].T.ravel()
    occasion = np.repeat(np.repeat(np.arange(most), RECORDS)[:, None], 3, axis=1)
    time = np.tile(TIME, (most, 1))

    def predict(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {"y": 10.0 / p["v"] * jnp.exp(-p["k"] * time)}

    people = Population(
        {"k": LogNormal(0.3, sd=0.25, occasion_sd=0.3), "v": LogNormal(2.0, sd=0.15, occasion_sd=0.2)},
        {"y": Proportional(0.15)},
        occasion_omega=(Block(("k", "v"), correlation=0.3),),
    )
    return people, problem(people, plain_table(rows, "y", occasion=occasion), predict)


@pytest.mark.C2
@pytest.mark.parametrize("approximation", METHODS, ids=lambda one: one.method)
def test_what_a_site_shares_correlates_its_subjects(approximation: Approximation) -> None:
    """A linear model: the observations of a site are normal, with a variance that is known."""

    def predict(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {"y": jnp.broadcast_to(p["mean"][None], (RECORDS, SUBJECTS)) + p["slope"][None] * TIME}

    value = 3.0 + np.random.default_rng(4).normal(0, 1, (RECORDS, SUBJECTS))
    people = Population(
        {"mean": Normal(2.5, sd=0.8, site_sd=0.5), "slope": Normal(0.1, site_sd=0.3)}, {"y": Additive(0.6)}
    )
    data = problem(people, sites(value), predict)
    expected = []
    for site in range(3):
        who = np.flatnonzero(site == SITE)
        ones, time = np.ones(len(who) * RECORDS), np.tile(TIME[:, 0], len(who))
        same = np.kron(np.eye(len(who)), np.ones((RECORDS, RECORDS)))
        variance = 0.64 * same + 0.25 * np.outer(ones, ones) + 0.09 * np.outer(time, time) + 0.36 * np.eye(len(ones))
        density = multivariate_normal(2.5 * ones + 0.1 * time, variance).logpdf(value[:, who].T.ravel())
        expected.append(-2 * density - len(ones) * np.log(2 * np.pi))
    found = evaluate(jnp.asarray(people.packing.start()), people, approximation, data)
    np.testing.assert_allclose(value_of(found), expected, atol=1e-10)
    assert not np.asarray(found.failed).any()
    for site in range(3):
        shared = np.asarray(found.z)[1:, site == SITE]
        np.testing.assert_array_equal(shared, np.broadcast_to(shared[:, :1], shared.shape))


@pytest.mark.C2
@pytest.mark.parametrize("approximation", METHODS[1:], ids=lambda one: one.method)
def test_a_site_is_a_subject_whose_occasions_are_its_subjects(
    approximation: Approximation, case: tuple[Population, Problem, Table]
) -> None:
    people, data, _ = case
    found = evaluate(jnp.asarray(people.packing.start()), people, approximation, data)
    other, same = as_occasions(observed())
    # As many effects as the largest site needs: those of the smaller ones see no data and add nothing.
    expected = evaluate(jnp.asarray(other.packing.start()), other, approximation, same)
    np.testing.assert_allclose(value_of(found), np.asarray(expected.value), atol=1e-8)


@pytest.mark.B6
@pytest.mark.parametrize("approximation", [METHODS[0], METHODS[2]], ids=lambda one: one.method)
def test_derivatives_are_exact(approximation: Approximation, case: tuple[Population, Problem, Table]) -> None:
    people, data, _ = case
    scalar = Scalar(people, approximation, data)
    x = people.packing.start() + 0.05 * np.cos(np.arange(len(people.packing.start())))
    step = 1e-3 * np.eye(len(x))

    def differences(function) -> np.ndarray:  # type: ignore[no-untyped-def]
        """By four points, good to h^4."""
        far, near = ([function(x + m * h) - function(x - m * h) for h in step] for m in (2, 1))
        return (8 * np.array(near) - np.array(far)) / (12 * 1e-3)

    gradient, scores = scalar.value(x)[1:]
    assert scores.shape == (len(x), 3)
    np.testing.assert_allclose(scores.sum(axis=1), gradient, rtol=1e-10)
    slopes = differences(lambda at: value_of(scalar.evaluation(at)))
    np.testing.assert_allclose(scores, slopes, rtol=0, atol=1e-7 * np.abs(slopes).max())
    curvature = differences(lambda at: scalar.value(at)[1])
    exact = Scalar(people, approximation, data).hessian(np.asarray(x))
    np.testing.assert_allclose(exact, curvature, rtol=0, atol=1e-6 * np.abs(curvature).max())


def test_a_subject_that_fails_takes_its_site_with_it_and_no_other(case: tuple[Population, Problem, Table]) -> None:
    people, data, _ = case
    spoilt = data.observations["y"]
    broken = replace(data, observations={"y": replace(spoilt, value=spoilt.value.at[0, 4].set(jnp.nan))})
    x = jnp.asarray(people.packing.start())
    whole, found = (evaluate(x, people, METHODS[2], one) for one in (data, broken))
    np.testing.assert_array_equal(np.asarray(found.failed), SITE == 2)
    sound = SITE != 2
    np.testing.assert_allclose(np.asarray(found.value)[sound], np.asarray(whole.value)[sound], atol=1e-9)


def test_a_fit_with_sites() -> None:
    """A balanced linear model: the estimates follow from the means of sites and of their subjects."""
    rng = np.random.default_rng(2)
    site = np.repeat(np.arange(12), 6)
    value = 3.0 + (0.7 * rng.normal(0, 1, 12))[site] + rng.normal(0, 0.5, 72) + 0.3 * rng.normal(0, 1, (5, 72))

    def predict(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {"y": jnp.broadcast_to(p["mean"][None], (5, 72))}

    people = Population({"mean": Normal(2.0, sd=0.3, site_sd=0.3)}, {"y": Additive(1.0)})
    table = plain_table(value, "y", covariates={"SITE": site})
    found = fit(people, problem(people, table, predict), table, covariance="r")
    by_subject = value.mean(axis=0)
    by_site = by_subject.reshape(12, 6).mean(axis=1)
    within = ((value - by_subject) ** 2).sum() / (72 * 4)
    subjects = ((by_subject.reshape(12, 6) - by_site[:, None]) ** 2).sum() / (12 * 5)
    expected = {
        "mean": by_site.mean(),
        "y.sd": within**0.5,
        "omega.mean": (subjects - within / 5) ** 0.5,
        "omega_site.mean": (by_site.var() - subjects / 6) ** 0.5,
    }
    assert found.converged
    assert {name: found.estimates[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert found.se["mean"] == pytest.approx((by_site.var() / 12) ** 0.5, rel=1e-3)
    assert set(found.eta_shrinkage) == {"mean", "mean SITE"}
    assert found.audit is not None
    assert found.audit.minus_2ll is None


@pytest.mark.parametrize(
    ("covariates", "said"),
    [
        ({}, "the data have no covariate 'SITE'"),
        ({"SITE": np.zeros(SUBJECTS)}, "nothing to tell sites apart"),
        ({"SITE": np.tile(np.arange(RECORDS)[:, None], (1, SUBJECTS))}, "changes within a subject"),
    ],
)
def test_sites_that_make_no_sense_are_refused(covariates: dict[str, np.ndarray], said: str) -> None:
    table = plain_table(observed(), "y", covariates=covariates)
    with pytest.raises(InputError, match=said):
        problem(population(), table, decay)


def test_quadrature_over_a_whole_site_is_refused(case: tuple[Population, Problem, Table]) -> None:
    people, data, _ = case
    with pytest.raises(InputError, match="take laplace"):
        Scalar(people, Approximation("agq", 3), data)
