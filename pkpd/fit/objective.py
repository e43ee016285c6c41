"""Objective functions: -2 log L without n log(2 pi), NONMEM's convention, by one approximation or another.

n counts the measured observations with a normal error; censored ones, other densities, and priors keep their
constants.
"""

from dataclasses import dataclass
from functools import partial
from math import log, pi
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from pkpd.errors import InputError
from pkpd.fit import dense
from pkpd.fit.individual import Individual, PerSubject, Values, X, Z
from pkpd.fit.mode import found_modes
from pkpd.fit.problem import Problem
from pkpd.population.population import Population

CONVENTION = "-2 log L without n log(2 pi), n the measured observations with a normal error (NONMEM's convention)"


@dataclass(frozen=True)
class Approximation:
    """How the integral over the random effects is approximated.

    | method | the integral |
    |---|---|
    | fo | of the model linearised at eta = 0 |
    | foce | of the model linearised at the mode, the error's scale that at eta = 0 |
    | focei | the same with the scale at the mode (interaction), curvature without second derivatives |
    | laplace | of the parabola with the exact curvature at the mode |
    | agq | by `nodes` Gauss-Hermite nodes for each random effect, laid at the mode |

    Wang 2007, doi:10.1007/s10928-007-9060-6; Pinheiro and Bates 1995, doi:10.1080/10618600.1995.10474663.
    """

    method: str
    nodes: int = 1

    def __post_init__(self) -> None:
        if self.method not in ("fo", "foce", "focei", "laplace", "agq"):
            raise InputError(f"method '{self.method}' is not known; there are fo, foce, focei, laplace and agq")
        if (self.method == "agq") != (self.nodes > 1):
            raise InputError("nodes are for agq, which needs more than one: method='agq', nodes=5")


class Evaluation(NamedTuple):
    """The objective of each subject, its derivatives in x, modes, which have failed, steps of the inner search."""

    value: Float[Array, " subject"]
    score: Float[Array, "parameter subject"]
    z: Float[Array, "effect subject"]
    failed: Bool[Array, " subject"]
    steps: Int[Array, ""]


def objectives(
    x: X, population: Population, approximation: Approximation, problem: Problem, order: int
) -> tuple[PerSubject, tuple[Z, Bool[Array, " subject"], Int[Array, ""]]]:
    """The objective of each subject; and its modes, whether it has failed, steps taken.

    `order`: how often it will be differentiated.
    """
    individual = Individual(population, approximation.method in ("focei", "laplace", "agq"))
    values = population.packing.values(x)
    if individual.effects(problem) == 0:
        # Nobody differs from anybody: naive pooling, whatever the method is.
        nobody = jnp.zeros((0, problem.subjects))
        value = 2.0 * individual.loss(values, nobody, None, individual.near(values, nobody, problem, order))
        return value - problem.constant, (nobody, ~jnp.isfinite(value), jnp.asarray(0))
    if approximation.method == "fo":
        value, z = _first_order(individual, values, problem, order)
        return value - problem.constant, (z, ~jnp.isfinite(value), jnp.asarray(0))
    gauss_newton = approximation.method in ("foce", "focei")
    z, centre, near, failed, steps = found_modes(individual, values, problem, order, order + (1 if gauss_newton else 2))
    if gauss_newton:
        loss, _, curvature = individual.expanded(values, z, centre, near)
    else:
        loss, curvature = individual.loss(values, z, centre, near), individual.hessian(values, z, centre, near)
    w = dense.whitener(curvature)
    if approximation.method == "agq":
        value = _quadrature(individual, values, z, w, approximation.nodes, problem, order)
    else:
        value = 2.0 * loss + dense.log_determinant(w)
    return value - problem.constant, (z, failed | ~jnp.isfinite(value), steps)


@partial(jax.jit, static_argnames=("population", "approximation"))
def evaluate(
    x: Float[Array, " parameter"], population: Population, approximation: Approximation, problem: Problem
) -> Evaluation:
    """The objective of each subject and its derivatives, priors not included."""
    spread = jnp.broadcast_to(x[:, None], (*x.shape, problem.subjects))

    def total(spread: X) -> tuple[Array, tuple]:
        value, rest = objectives(spread, population, approximation, problem, 1)
        return value.sum(), (value, rest)

    (_, (value, (z, failed, steps))), score = jax.value_and_grad(total, has_aux=True)(spread)
    return Evaluation(value, score, z, failed, steps)


@partial(jax.jit, static_argnames=("population", "approximation"))
def hessian(
    x: Float[Array, " parameter"], population: Population, approximation: Approximation, problem: Problem
) -> Float[Array, "parameter parameter"]:
    """Second derivatives of the summed objective, exact, priors not included."""
    n = x.shape[0]
    spread = jnp.broadcast_to(x[:, None], (n, problem.subjects))
    units = jnp.broadcast_to(jnp.eye(n)[:, :, None], (n, *spread.shape))
    rows, columns = np.tril_indices(n)

    def slope(spread: X, unit: X) -> PerSubject:
        return jax.jvp(lambda s: objectives(s, population, approximation, problem, 2)[0], (spread,), (unit,))[1]

    def along(first: X, second: X) -> Float[Array, ""]:
        return jax.jvp(lambda s: slope(s, first), (spread,), (second,))[1].sum()

    # Twice forwards: a third of the graph that forwards over backwards would leave to be compiled.
    below = jax.vmap(along)(units[rows], units[columns])
    half = jnp.zeros((n, n)).at[rows, columns].set(below)
    return half + half.T - jnp.diag(jnp.diag(half))


def _first_order(individual: Individual, values: Values, problem: Problem, order: int) -> tuple[PerSubject, Z]:
    """-2 log density of y ~ N(f(0) + J z, s^2), by completing the square in z; and the z where it is largest."""
    zero = jnp.zeros((individual.effects(problem), problem.subjects))
    near = individual.near(values, zero, problem, order + 1)
    centre = individual.centre(values, near)
    loss, gradient, curvature = individual.expanded(values, zero, centre, near)
    w = dense.whitener(curvature)
    step = dense.applied(w, gradient)
    value = 2.0 * loss - (step**2).sum(axis=0) + dense.log_determinant(w)
    return value, -dense.applied(dense.transposed(w), step)


def _quadrature(
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
        return -individual.loss(values, moved, None, individual.near(values, moved, problem, order))

    @jax.checkpoint
    def slice_of(first: Float[Array, ""], log_first: Float[Array, ""]) -> PerSubject:
        points = jnp.concatenate([jnp.broadcast_to(first, (1, rest.shape[1])), jnp.asarray(u[rest])])
        logs = jax.vmap(at, in_axes=1)(points) + jnp.asarray(log_weight[rest].sum(axis=0))[:, None]
        return jax.nn.logsumexp(logs, axis=0) + log_first

    slices = jax.lax.map(lambda pair: slice_of(*pair), (jnp.asarray(u), jnp.asarray(log_weight)))
    return -2.0 * jax.nn.logsumexp(slices, axis=0) + dense.log_determinant(w) + n * log(pi)
