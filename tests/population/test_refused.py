"""What a population refuses, for nothing would heed it."""

from collections.abc import Callable

import jax
import pytest

from pkpd.errors import InputError
from pkpd.population.expression import Theta
from pkpd.population.individual import LogNormal
from pkpd.population.population import Population
from pkpd.population.residual import Proportional, UserDensity

PARAMETERS = {"k": LogNormal(0.4, sd=0.3), "v": 10.0}


def density(y: jax.Array, f: jax.Array, p: dict[str, jax.Array]) -> jax.Array:
    return -((y - f) ** 2) / p["sd"]


@pytest.mark.parametrize(
    ("residual", "message"),
    [
        (
            lambda: UserDensity(density, {"sd": LogNormal(0.1, sd=0.4)}),
            "'conc.sd': parameters of a UserDensity have no",
        ),
        (lambda: Proportional(LogNormal(0.1, occasion_sd=0.4)), "'conc.sd': errors do not vary between occasions"),
    ],
)
def test_random_effects_of_errors(residual: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Population(PARAMETERS, {"conc": residual()})
    Population(PARAMETERS, {"conc": Proportional(LogNormal(0.1, sd=0.4))})


@pytest.mark.parametrize("bounds", [{"lower": 0.2}, {"upper": 0.5}, {"lower": 0.2, "upper": 0.5}])
def test_bounds_of_a_spread(bounds: dict[str, float]) -> None:
    with pytest.raises(InputError, match="a spread has no bounds but 0"):
        Population({"k": LogNormal(0.4, sd=Theta(0.3, **bounds)), "v": 10.0}, {"conc": Proportional(0.1)})
