"""Other initial estimates: Omega is the covariance that was given, what is fixed stays."""

import jax.numpy as jnp
import numpy as np
import pytest

from pkpd.errors import InputError
from pkpd.population.expression import Covariate, Theta, fixed
from pkpd.population.individual import BoxCox, LogitNormal, LogNormal, Normal
from pkpd.population.omega import Block, Same
from pkpd.population.population import Population
from pkpd.population.residual import Additive, Combined, TransformBothSides, UserDensity
from pkpd.population.restarted import restarted

EFFECTS = ("cl", "v", "ka", "f")
COVARIANCE = np.array(
    [[0.09, 0.03, 0.01, 0.0], [0.03, 0.16, 0.02, 0.0], [0.01, 0.02, 0.25, 0.0], [0.0, 0.0, 0.0, 0.04]]
)


def written(**changed) -> Population:  # type: ignore[no-untyped-def]
    given = {
        "parameters": {
            "cl": LogNormal(3.0, cv=0.5) * (Covariate("WT") / 70) ** Theta(0.75, name="size"),
            "v": LogNormal(30.0, sd=0.5),
            "ka": BoxCox(1.0, sd=0.5),
            "f": LogitNormal(fixed(0.8), sd=fixed(0.1)),
        },
        "residual": {"conc": Combined(0.1, 0.2)},
    }
    return Population(**(given | changed))


def begun(population: Population) -> dict[str, float]:
    """What a person would read at the initial estimates."""
    values = population.packing.values(jnp.asarray(population.packing.start()))
    return {name: float(value) for name, value in population.summary(values).items()}


def test_omega_is_the_covariance_in_blocks_and_out_of_them() -> None:
    population = written(omega=(Block(("v", "cl"), correlation=0.9),))
    thetas = {"cl": 4.0, "v": 20.0, "ka": 2.0, "f": 0.5, "size": 1.0, "conc.additive": 0.3, "conc.proportional": 0.4}
    found = begun(restarted(population, thetas, EFFECTS, COVARIANCE))
    omega = {"omega.cl": 0.3, "omega.v": 0.4, "omega.ka": 0.5, "omega_corr.v.cl": 0.03 / 0.3 / 0.4}
    # The shape was not given anew; f and its spread are fixed.
    assert found == pytest.approx(thetas | omega | {"ka.shape": 0.1, "f": 0.8, "omega.f": 0.1}, rel=1e-12)


def test_effects_that_share_a_block_begin_at_its_mean() -> None:
    found = begun(restarted(written(omega=(Same(("v",), ("cl",)),)), {}, EFFECTS, COVARIANCE))
    assert found["omega.cl"] == pytest.approx((0.09 / 2 + 0.16 / 2) ** 0.5, rel=1e-12)
    assert "omega.v" not in found


def test_a_fixed_block_stays() -> None:
    before = written(omega=(Block(("cl", "v"), correlation=0.9, fixed=True),))
    after = begun(restarted(before, {}, EFFECTS, COVARIANCE))
    assert after == pytest.approx(begun(before) | {"omega.ka": 0.5}, rel=1e-12)


def test_every_parameter_of_an_error_model_begins_anew() -> None:
    def log_density(y, f, p):  # type: ignore[no-untyped-def]
        return -((y - f) ** 2) * p["weight"]

    residual = {
        "a": Additive(1.0) & TransformBothSides("box-cox", shape=0.5),
        "b": UserDensity(log_density, {"weight": 1.0}),
    }
    population = Population({"x": Normal(1.0, sd=1.0)}, residual)
    thetas = {"x": 2.0, "a.sd": 3.0, "a.shape": 0.7, "b.weight": 4.0}
    found = restarted(population, thetas, ("x",), np.array([[9.0]]))
    assert begun(found) == pytest.approx(thetas | {"omega.x": 3.0}, rel=1e-12)


def test_a_value_beyond_its_bounds_is_told() -> None:
    population = written(parameters={"cl": LogNormal(Theta(3.0, upper=5.0, lower=1.0), sd=0.3)})
    with pytest.raises(InputError, match="'cl'.* 6 is not between 1 and 5"):
        restarted(population, {"cl": 6.0}, ("cl",), np.array([[0.04]]))
