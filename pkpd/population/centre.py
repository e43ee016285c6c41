"""The theta behind each random effect, and where a mean of the effects moves it."""

from collections import Counter
from collections.abc import Mapping

import jax.numpy as jnp

from pkpd.errors import InputError
from pkpd.population.expression import Given, Operation, Theta
from pkpd.population.individual import BoxCox, LogNormal, Random
from pkpd.population.population import Population


def centres(population: Population) -> dict[str, Random]:
    """The random effect that moves each typical value, by the name of its theta.

    Raises `InputError` where there is no theta that one mean could move for all subjects alike.
    """
    parts = [part for one in population.expressions.values() for part in one.walk()]
    random = [part for part in parts if isinstance(part, Random)]
    found: dict[str, Random] = {}
    for one in random:
        name = _centre(one).name
        if found.setdefault(name, one) != one:
            raise InputError(f"two random effects move '{name}'; give each a typical value of its own")
    stands = Counter(part.name for part in parts if isinstance(part, Theta))
    for name, times in Counter(_centre(one).name for one in random).items():
        if stands[name] > times:
            raise InputError(f"'{name}' is a typical value and stands elsewhere too; give that place its own theta")
    return found


def moved(population: Population, means: Mapping[str, float]) -> dict[str, float]:
    """The typical values where the random effects have these means, by the name of the theta."""
    values = {one.name: jnp.asarray(one.initial) for one in population.packing.coordinates}
    given = Given(values, {}, {})
    return {
        name: float(jnp.asarray(one.joined(values[name], jnp.asarray(means[one.name]), given)))
        for name, one in centres(population).items()
        if one.name in means
    }


def _centre(random: Random) -> Theta:
    """The theta that is the typical value, or that effects of covariates are factors of."""
    part = random.typical
    while isinstance(part, Operation) and part.symbol in ("*", "/"):
        part = part.left
    if not isinstance(part, Theta):
        raise InputError(
            f"the typical value of '{random.name}' is no theta times effects of covariates, and no mean can move it; "
            "write it so, the theta first"
        )
    if part is not random.typical and not isinstance(random, LogNormal | BoxCox):
        raise InputError(
            f"'{random.name}' is a {type(random).__name__} with covariates in its typical value, which no mean moves "
            "alike in all subjects; make it log-normal"
        )
    return part
