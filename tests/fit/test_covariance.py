"""The covariance step on problems whose answer is known, and its verdict where there is none."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import plain_table

from pkpd.fit.covariance import identified, uncertainty
from pkpd.fit.fit import Fit, fit
from pkpd.fit.problem import problem
from pkpd.population.expression import Theta, fixed
from pkpd.population.individual import Normal
from pkpd.population.population import Population
from pkpd.population.residual import Additive

SUBJECTS, EACH = 40, 5


def balanced() -> np.ndarray:
    rng = np.random.default_rng(2)
    return 5.0 + rng.normal(0, 1.0, SUBJECTS) + rng.normal(0, 0.5, (EACH, SUBJECTS))


def constant(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
    return {"y": jnp.broadcast_to(p["mean"][None], (EACH, SUBJECTS))}


def fitted(value: np.ndarray, covariance: str, predict: Any = constant, **parameters: Any) -> Fit:
    population = Population(parameters, {"y": Additive(0.7)})
    table = plain_table(value, "y")
    return fit(population, problem(population, table, predict), table, covariance=covariance)


def test_one_way_analysis_of_variance() -> None:
    """y = mean + eta + e, balanced: maximum likelihood has a formula, and FOCEI is exact for a linear model."""
    value = balanced()
    found = fitted(value, "r", mean=Normal(4.0, sd=0.8))
    within = value.var(axis=0).sum() * EACH / SUBJECTS / (EACH - 1) / EACH
    within = ((value - value.mean(axis=0)) ** 2).sum() / (SUBJECTS * (EACH - 1))
    between = ((value.mean(axis=0) - value.mean()) ** 2).mean() - within / EACH
    assert found.estimates["mean"] == pytest.approx(value.mean(), abs=1e-6)
    assert found.estimates["y.sd"] == pytest.approx(np.sqrt(within), rel=1e-5)
    assert found.estimates["omega.mean"] == pytest.approx(np.sqrt(between), rel=1e-5)
    total = between + within / EACH
    assert found.se["mean"] == pytest.approx(np.sqrt(total / SUBJECTS), rel=1e-4)
    # The information on log sigma is 2 for each degree of freedom within, corrected for what the means tell.
    n, k = SUBJECTS, EACH
    information = np.array(
        [
            [n * (k - 1) / (2 * within**2) + n / (2 * k**2 * total**2), n / (2 * k * total**2)],
            [n / (2 * k * total**2), n / (2 * total**2)],
        ]
    )
    variance = np.linalg.inv(information)
    assert found.se["y.sd"] == pytest.approx(np.sqrt(variance[0, 0]) / (2 * np.sqrt(within)), rel=1e-4)
    assert found.se["omega.mean"] == pytest.approx(np.sqrt(variance[1, 1]) / (2 * np.sqrt(between)), rel=1e-4)
    # OFV: the normal density of the data without its constants.
    expected = n * (k - 1) * np.log(within) + n * np.log(k * total) + n * k
    assert found.ofv == pytest.approx(expected, abs=1e-6)


def test_shrinkage_of_a_linear_model_has_a_formula() -> None:
    value = balanced()
    found = fitted(value, "r", mean=Normal(4.0, sd=0.8))
    omega, sigma = found.estimates["omega.mean"], found.estimates["y.sd"]
    pulled = omega**2 / (omega**2 + sigma**2 / EACH)
    etas = pulled * (value.mean(axis=0) - found.estimates["mean"])
    np.testing.assert_allclose(found.etas["mean"], etas, atol=1e-6)
    assert found.eta_shrinkage["mean"] == pytest.approx(1 - np.sqrt((etas**2).mean()) / omega, abs=1e-6)
    residuals = (value - found.estimates["mean"] - etas) / sigma
    assert found.epsilon_shrinkage["y"] == pytest.approx(1 - np.sqrt((residuals**2).mean()), abs=1e-6)


@pytest.mark.parametrize("kind", ["sandwich", "s"])
def test_the_kinds_agree_where_the_model_is_true(kind: str) -> None:
    value = balanced()
    other, r = fitted(value, kind, mean=Normal(4.0, sd=0.8)), fitted(value, "r", mean=Normal(4.0, sd=0.8))
    for name, se in r.se.items():
        # 40 subjects: a fourth moment is known to some 30 %.
        assert other.se[name] == pytest.approx(se, rel=0.3)
    assert other.uncertainty is not None and r.uncertainty is not None
    inverse = np.linalg.inv(r.uncertainty.r)
    expected = inverse @ other.uncertainty.s @ inverse if kind == "sandwich" else np.linalg.inv(other.uncertainty.s)
    np.testing.assert_allclose(other.uncertainty.covariance, expected, rtol=1e-5)


def test_two_parameters_that_only_act_as_a_sum_are_named() -> None:
    def doubled(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {"y": jnp.broadcast_to((p["mean"] + p["shift"])[None], (EACH, SUBJECTS))}

    found = fitted(balanced(), "r", doubled, mean=Normal(4.0, sd=0.8), shift=Theta(1.0))
    assert any("mean, shift" in reason and "not identified" in reason for reason in found.reasons)
    assert all(np.isnan(se) for se in found.se.values())


def test_a_parameter_that_does_nothing_is_named() -> None:
    def idle(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {"y": jnp.broadcast_to(p["mean"][None], (EACH, SUBJECTS)) + 0.0 * p["idle"][None]}

    found = fitted(balanced(), "r", idle, mean=Normal(4.0, sd=0.8), idle=Theta(1.0))
    assert "idle is not identified: the objective does not change with it" in found.reasons


def test_a_saddle_is_no_minimum() -> None:
    r = np.diag([4.0, 1.0]) + 3.0 * np.array([[0.0, 1.0], [1.0, 0.0]])
    values, verdict = identified(r, ("a", "b"))
    assert values[0] < 0
    assert len(verdict) == 1 and "no minimum" in verdict[0] and "a" in verdict[0] and "b" in verdict[0]


def test_priors_inform_and_are_in_the_objective() -> None:
    """A normal prior on the mean of a normal with known variances: conjugate."""
    from numpyro.distributions import Normal as Gauss

    value = balanced()
    population = Population(
        {"mean": Normal(4.0, sd=fixed(1.0))}, {"y": Additive(fixed(0.5))}, priors={"mean": Gauss(7.0, 0.1)}
    )
    table = plain_table(value, "y")
    found = fit(population, problem(population, table, constant), table, covariance="r")
    data, prior = SUBJECTS / (1.0 + 0.25 / EACH), 1 / 0.1**2
    assert found.estimates["mean"] == pytest.approx((data * value.mean() + prior * 7.0) / (data + prior), abs=1e-6)
    assert found.se["mean"] == pytest.approx((data + prior) ** -0.5, rel=1e-6)
    penalty = -2 * float(Gauss(7.0, 0.1).log_prob(found.estimates["mean"]))
    assert found.penalty == pytest.approx(penalty, rel=1e-9)
    assert found.ofv == pytest.approx(found.subject_ofv.sum() + penalty, abs=1e-9)
    assert "priors" in found.convention


def test_the_covariance_is_that_of_the_packed_parameters() -> None:
    value = balanced()
    found = fitted(value, "r", mean=Normal(4.0, sd=0.8))
    assert found.uncertainty is not None
    # y.sd is estimated on the log scale: its SE there is the relative one.
    place = found.uncertainty.names.index("y.sd")
    relative = found.se["y.sd"] / found.estimates["y.sd"]
    assert np.sqrt(found.uncertainty.covariance[place, place]) == pytest.approx(relative, rel=1e-9)
    spectrum = np.linalg.eigvalsh(found.uncertainty.correlation)
    assert found.uncertainty.condition == pytest.approx(spectrum[-1] / spectrum[0])
    assert uncertainty.__doc__


def test_a_direction_that_only_rounding_bends_is_not_identified() -> None:
    """As the mRNA-6231 drug model leaves it, whose volume no data can tell: an eigenvalue of 2e-7, not 0."""
    flat = np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
    r = 2.0 * (np.eye(3) - (1 - 2e-7) * np.outer(flat, flat))
    values, sentences = identified(r, ("v", "clc", "ka"))
    assert 0 < values[0] < 1e-6
    assert sentences == ("v, clc are not identified: changed together they leave the objective as it is",)


def test_a_sandwich_that_knows_too_much_is_told() -> None:
    """a and b are exchangeable and end equal, where every score in a - b is 0: the sandwich has no spread there."""
    t = np.arange(float(EACH))[:, None]

    def exchangeable(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return {"y": p["mean"][None] + (p["a"] + p["b"])[None] * t - ((p["a"] - p["b"]) ** 2)[None] * t**2}

    value = balanced() + 1.0 * t + 0.05 * t**2
    parameters = {"mean": Normal(5.0, sd=1.0), "a": Theta(0.6), "b": Theta(0.4)}
    found = fitted(value, "sandwich", exchangeable, **parameters)
    assert found.estimates["a"] == pytest.approx(found.estimates["b"], abs=1e-3)
    told = [reason for reason in found.reasons if "all but singular" in reason]
    assert len(told) == 1 and "b and a correlate by 1.0000" in told[0]
    assert not [one for one in fitted(value, "r", exchangeable, **parameters).reasons if "singular" in one]


@pytest.mark.parametrize("kind", ["sandwich", "r", "s"])
def test_where_the_prior_knows_all_its_sd_is_the_standard_error(kind: str) -> None:
    """As with a typical value that sparse data say nothing about: no kind may take that for certainty, or for doubt."""
    from numpyro.distributions import Normal as Gauss

    population = Population(
        {"mean": Normal(4.0, sd=fixed(1.0))}, {"y": Additive(fixed(0.5))}, priors={"mean": Gauss(5.0, 1e-3)}
    )
    table = plain_table(balanced(), "y")
    found = fit(population, problem(population, table, constant), table, covariance=kind)
    assert found.se["mean"] == pytest.approx(1e-3, rel=1e-3)
