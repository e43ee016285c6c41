"""Interaction: whether the error's scale moves with the random effects, and what a fit leaves out where it does not."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import plain_table

from pkpd.fit.audit import laid
from pkpd.fit.objective import Approximation
from pkpd.fit.problem import Problem, problem
from pkpd.fit.scalar import Scalar
from pkpd.population.individual import LogNormal
from pkpd.population.population import Population
from pkpd.population.residual import Additive, Combined, Power, Proportional, UserDensity, exponential

TIMES = np.array([0.5, 1.0, 2.0, 4.0])
VALUE = np.exp(-0.3 * TIMES[:, None]) * np.array([9.0, 12.0, 10.0]) + np.sin(np.arange(12.0)).reshape(4, 3)


def poisson(y: Any, f: Any, p: Any) -> Any:
    return y * jnp.log(f) - f


def decay(error: Any) -> tuple[Population, Problem]:
    """f = base exp(-k t), both parameters different in each subject."""
    population = Population({"base": LogNormal(9.0, cv=0.3), "k": LogNormal(0.25, cv=0.2)}, {"conc": error})
    return population, problem(
        population,
        plain_table(VALUE),
        lambda p: {"conc": p["base"][None] * jnp.exp(-p["k"][None] * jnp.asarray(TIMES)[:, None])},
    )


@pytest.mark.parametrize(
    "error", [Additive(0.7), exponential(0.1), UserDensity(poisson)], ids=["additive", "log-normal", "density"]
)
def test_without_interaction_both_methods_are_one(error: Any) -> None:
    population, data = decay(error)
    assert not population.interacting
    x = population.packing.start()
    foce, focei = (Scalar(population, Approximation(method), data) for method in ("foce", "focei"))
    for one, other in zip(foce.value(x), focei.value(x), strict=True):
        np.testing.assert_array_equal(one, other)
    # Its modes are where draws are laid; those at which FO linearises are not.
    assert laid(foce) is foce
    assert laid(Scalar(population, Approximation("fo"), data)) == focei


@pytest.mark.parametrize(
    "error",
    [Proportional(0.1), Combined(0.3, 0.1), Power(0.2, 0.7), Additive(LogNormal(0.7, cv=0.3))],
    ids=["proportional", "combined", "power", "own SD"],
)
def test_with_interaction_they_are_two(error: Any) -> None:
    population, data = decay(error)
    assert population.interacting == {"conc"}
    foce, focei = (Scalar(population, Approximation(method), data) for method in ("foce", "focei"))
    assert laid(foce) == focei
    assert laid(focei) is focei


@pytest.mark.B6
def test_the_gradient_where_the_scale_has_a_random_effect_of_its_own() -> None:
    population, data = decay(Additive(LogNormal(0.7, cv=0.3)))
    x, found = population.packing.start(), []
    for method in ("foce", "focei"):
        scalar = Scalar(population, Approximation(method), data)
        compared = [(scalar.value(x + move)[0] - scalar.value(x - move)[0]) / 2e-4 for move in 1e-4 * np.eye(len(x))]
        value, gradient, _ = scalar.value(x)
        np.testing.assert_allclose(gradient, compared, atol=1e-6 * np.abs(gradient).max())
        found.append(value)
    assert abs(found[0] - found[1]) > 1e-3
