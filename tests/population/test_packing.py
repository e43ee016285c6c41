"""The vector of estimates: there and back, Omega through its factor, bounds kept."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pkpd.engine  # noqa: F401  64 bits
from pkpd.errors import InputError
from pkpd.population.expression import Theta, fixed
from pkpd.population.individual import LogNormal
from pkpd.population.omega import Block, Same
from pkpd.population.population import Population
from pkpd.population.residual import Additive


def three(omega: tuple[Block | Same, ...] = ()) -> Population:
    return Population(
        parameters={"cl": LogNormal(10, sd=0.3), "v": LogNormal(20, sd=0.4), "ka": LogNormal(1, sd=0.5)},
        residual={"conc": Additive(0.7)},
        omega=omega,
    )


def covariance(population: Population, x: np.ndarray) -> np.ndarray:
    """Omega as the etas of unit z show it."""
    values = population.packing.values(jnp.broadcast_to(jnp.asarray(x)[:, None], (len(x), 3)))
    etas = population.etas(values, jnp.eye(3), None)
    factor = np.stack([np.asarray(etas[name]) for name in ("cl", "v", "ka")])
    return factor @ factor.T


@pytest.mark.C7
def test_omega_starts_as_it_is_written() -> None:
    rows = ((0.2,), (-0.3, 0.4))
    population = three((Block(("cl", "v", "ka"), correlation=rows),))
    sds = np.array([0.3, 0.4, 0.5])
    correlation = np.array([[1, 0.2, -0.3], [0.2, 1, 0.4], [-0.3, 0.4, 1]])
    np.testing.assert_allclose(
        covariance(population, population.packing.start()), correlation * np.outer(sds, sds), rtol=1e-12
    )


@pytest.mark.C7
def test_the_summary_is_the_covariance() -> None:
    population = three((Block(("v", "ka"), correlation=0.5),))
    rng = np.random.default_rng(3)
    x = population.packing.start() + rng.normal(0, 0.5, len(population.packing.names))
    found = {
        name: float(value) for name, value in population.summary(population.packing.values(jnp.asarray(x))).items()
    }
    omega = covariance(population, x)
    sds = np.sqrt(np.diag(omega))
    assert [found["omega.cl"], found["omega.v"], found["omega.ka"]] == pytest.approx(sds.tolist(), rel=1e-12)
    assert found["omega_corr.v.ka"] == pytest.approx(omega[1, 2] / sds[1] / sds[2], rel=1e-12)
    assert omega[0, 1] == omega[0, 2] == 0


def test_same_shares_a_block_and_adds_no_estimate() -> None:
    population = three((Same(("v",), like=("cl",)),))
    assert population.packing.names == ("cl", "v", "ka", "conc.sd", "omega.cl", "omega.ka")
    omega = covariance(population, population.packing.start())
    assert omega[0, 0] == omega[1, 1] == pytest.approx(0.09)
    assert omega[0, 1] == 0
    assert "omega.v" not in population.summary_names


def test_a_fixed_block_is_not_estimated() -> None:
    population = three((Block(("cl", "v"), correlation=0.2, fixed=True),))
    assert population.packing.names == ("cl", "v", "ka", "conc.sd", "omega.ka")
    assert covariance(population, population.packing.start())[0, 1] == pytest.approx(0.2 * 0.3 * 0.4)


def test_values_by_name_are_packed() -> None:
    packing = three().packing
    x = packing.at({"cl": 7.0, "omega.v": 0.1})
    values = packing.values(jnp.asarray(x))
    assert [float(values[name]) for name in ("cl", "v", "omega.v")] == pytest.approx([7.0, 20.0, 0.1])
    with pytest.raises(InputError, match="'?CL'?"):
        packing.at({"CL": 7.0})


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(["log", "logit", "identity", "upper"]),
    share=st.floats(1e-6, 1 - 1e-6),
    low=st.floats(-1e3, 1e3),
    width=st.floats(1e-2, 1e3),
)
@pytest.mark.C7
def test_there_and_back(kind: str, share: float, low: float, width: float) -> None:
    value, high = low + share * width, low + width
    theta = {
        "log": lambda: Theta(value, lower=low),
        "logit": lambda: Theta(value, lower=low, upper=high),
        "identity": lambda: Theta(value),
        "upper": lambda: Theta(value, upper=high),
    }[kind]
    if not low < value < high:
        return
    scale = theta().scale()
    back = float(scale.value(jnp.asarray(scale.position(value))))
    # The distance from a bound carries the digits that the value has beside it.
    assert back == pytest.approx(value, rel=1e-12, abs=1e-12 * max(abs(low), abs(high)))
    for x in (-30.0, 30.0):
        bounded = float(scale.value(jnp.asarray(x)))
        if kind in ("log", "logit"):
            assert bounded >= low
        if kind in ("logit", "upper"):
            assert bounded <= high * (1 + 1e-15 * np.sign(high))


def test_fixed_values_stay() -> None:
    population = Population({"k": LogNormal(1, sd=fixed(0.3)), "v": fixed(20)}, {"conc": Additive(1)})
    assert population.packing.names == ("k", "conc.sd")
    assert float(population.packing.values(jnp.zeros((2,)))["v"]) == 20.0
