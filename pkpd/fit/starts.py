"""Random starts: whether a fit ends where it does because of the data, or because of where it began."""

import numpy as np
from jaxtyping import Float

from pkpd.fit.scalar import Vector
from pkpd.population.population import Population
from pkpd.population.randomness import standard_normal


def starts(population: Population, count: int, seed: int, factor: float = 3.0) -> list[Vector]:
    """`count` starts: the initial estimates, then each element moved by up to `factor` to either side.

    Moves are uniform on the log scale; on the logit scale by as much; values of either sign are multiplied. Start
    k is the same whatever the count is.
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
        found.append(x)
    return found


def _uniform(seed: int, name: str, count: int) -> Float[np.ndarray, " count"]:
    """Uniform in (-1, 1), one a start."""
    from scipy.special import ndtr

    return 2.0 * ndtr(standard_normal(seed, "starts", name, count)) - 1.0
