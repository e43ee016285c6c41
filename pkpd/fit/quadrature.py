"""The integral over a subject's random effects by Gauss-Hermite nodes, laid at its mode.

Pinheiro and Bates 1995, doi:10.1080/10618600.1995.10474663.
"""

from math import log, pi

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.fit import dense
from pkpd.fit.individual import Individual, PerSubject, Values, Z
from pkpd.fit.problem import Problem


def quadrature(
    individual: Individual,
    values: Values,
    z: Z,
    w: Float[Array, "effect effect subject"],
    nodes: int,
    problem: Problem,
    order: int,
) -> PerSubject:
    """-2 log of the integral of exp(-F) over z, by nodes z + sqrt(2) C u, C C' the inverse curvature at the mode.

    The nodes of the first random effect are walked through one after the other, those of the others at once.
    """
    n = z.shape[0]
    u, weight = np.polynomial.hermite.hermgauss(nodes)
    log_weight = np.log(weight) + u**2
    grids = np.meshgrid(*[np.arange(nodes)] * (n - 1), indexing="ij") if n > 1 else []
    rest = np.stack([grid.ravel() for grid in grids]) if n > 1 else np.zeros((0, 1), int)

    def at(point: Array) -> PerSubject:
        placed = jnp.broadcast_to(point[:, None], z.shape)
        moved = z + jnp.sqrt(2.0) * dense.applied(dense.transposed(w), placed)
        return -individual.loss(values, moved, None, individual.near(values, moved, problem, order, order))

    @jax.checkpoint
    def slice_of(first: Float[Array, ""], log_first: Float[Array, ""]) -> PerSubject:
        points = jnp.concatenate([jnp.broadcast_to(first, (1, rest.shape[1])), jnp.asarray(u[rest])])
        logs = jax.vmap(at, in_axes=1)(points) + jnp.asarray(log_weight[rest].sum(axis=0))[:, None]
        return jax.nn.logsumexp(logs, axis=0) + log_first

    slices = jax.lax.map(lambda pair: slice_of(*pair), (jnp.asarray(u), jnp.asarray(log_weight)))
    return -2.0 * jax.nn.logsumexp(slices, axis=0) + dense.log_determinant(w) + n * log(pi)
