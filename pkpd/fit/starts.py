"""Random starts: whether a fit ends where it does because of the data, or because of where it began."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from pkpd.fit.scalar import Vector
from pkpd.population.population import Population
from pkpd.population.priors import ruled_out
from pkpd.population.randomness import standard_normal


def starts(population: Population, count: int, seed: int, factor: float = 3.0) -> list[Vector]:
    """`count` starts: the initial estimates, then each element moved by up to `factor` to either side.

    Moves are uniform on the log scale; on the logit scale by as much; values of either sign are multiplied. One that
    leaves the support of a prior goes half as far, until it does not. Start k is the same whatever the count is.
    """
    packing = population.packing
    centre = packing.start()
    found = [centre]
    moves = {one.name: _uniform(seed, one.name, count) for one in packing.free} if count > 1 else {}
    for k in range(1, count):
        x = centre.copy()
        for i, one in enumerate(packing.free):
            move = float(np.log(factor) * moves[one.name][k])
            if one.transform.kind in ("log", "logit"):
                x[i] += move
            else:
                x[i] = x[i] * np.exp(move) if x[i] else move
        while population.priors and _allowed(population, centre) and not _allowed(population, x):
            x = 0.5 * (centre + x)
        found.append(x)
    return found


def _allowed(population: Population, x: Vector) -> bool:
    """Whether it lies within the support of the priors."""
    return not ruled_out(population.priors, population.summary(population.packing.values(jnp.asarray(x))))


def _uniform(seed: int, name: str, count: int) -> Float[np.ndarray, " count"]:
    """Uniform in (-1, 1), one a start."""
    from scipy.special import ndtr

    return 2.0 * ndtr(standard_normal(seed, "starts", name, count)) - 1.0
