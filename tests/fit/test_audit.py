"""-2 log L by importance sampling against quadrature, and fits that find fault with themselves."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import wang
from oracles import wang2007
from oracles.quadrature import by_trapezoid
from oracles.quadrature import population as summed

from pkpd.fit.audit import audit
from pkpd.fit.importance import importance
from pkpd.fit.objective import Approximation
from pkpd.fit.scalar import Scalar


@pytest.mark.C2
def test_importance_sampling_is_the_integral_within_its_noise() -> None:
    population, problem = wang("proportional")
    x = population.packing.start()
    exact = summed(wang2007.subjects("proportional"), lambda one: by_trapezoid(one, wang2007.OMEGA2**0.5))
    exact -= 20 * np.log(2 * np.pi)
    at = Scalar(population, Approximation("focei"), problem).evaluation(x)
    found = [importance(population, x, at, problem, draws=2000, seed=seed) for seed in range(8)]
    noise = np.array([(one.value - exact) / one.error for one in found])
    # Eight standard normal numbers, if the error is what it says: their mean within 3/sqrt(8), their SD near 1.
    assert abs(noise.mean()) < 3 / np.sqrt(8)
    assert 0.4 < noise.std() < 1.9
    assert max(one.error for one in found) < 0.1
    assert min(one.effective for one in found) > 1000


def test_the_same_seed_gives_the_same_numbers() -> None:
    population, problem = wang("additive")
    x = population.packing.start()
    at = Scalar(population, Approximation("focei"), problem).evaluation(x)
    assert importance(population, x, at, problem, seed=3) == importance(population, x, at, problem, seed=3)
    assert importance(population, x, at, problem, seed=3) != importance(population, x, at, problem, seed=4)


def test_an_audit_finds_a_gradient_and_a_poor_approximation() -> None:
    population, problem = wang("additive")
    scalar = Scalar(population, Approximation("focei"), problem)
    x = population.packing.start()
    value = scalar.value(x)[0]
    r = np.eye(len(x)) * 1e-3
    found = audit(scalar, x, value, r, seed=0)
    assert any("gradient has not vanished" in reason for reason in found.reasons)
    assert found.eigenvalues is not None
    np.testing.assert_allclose(found.eigenvalues, 1.0)
    far = audit(scalar, x, value + 100.0, None, seed=0)
    assert far.promised is None
    (reason,) = far.reasons
    assert "is far from -2 log L" in reason
    spoilt = problem.observations["conc"]
    broken = replace(problem, observations={"conc": replace(spoilt, value=spoilt.value.at[0, 0].set(jnp.nan))})
    noisy = audit(replace(scalar, problem=broken), x, value, None, seed=0)
    assert "too noisy" in noisy.reasons[0]
