"""-2 log L by importance sampling: exact but for noise, and it says how much noise.

    L_i = E_q [p(y_i | z) p(z) / q(z)],    q a t distribution at the mode, as wide as the curvature there says

Heavy tails keep the weights bounded where the posterior is wider than its curvature. Kuhn and Lavielle 2005,
doi:10.1016/j.csda.2004.07.002.
"""

from collections.abc import Callable
from math import lgamma, log, pi
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.fit import dense
from pkpd.fit.compilation import compiled
from pkpd.fit.individual import Curvature, Individual, Z, spread
from pkpd.fit.objective import Evaluation
from pkpd.fit.problem import Problem
from pkpd.fit.scalar import Vector
from pkpd.population.population import Population

FREEDOM = 5
"""Degrees of freedom of the proposal."""

DRAWS = 300
"""For each subject."""


class Sampled(NamedTuple):
    """`value`: -2 log L, in the convention of the objective, without priors; `error`: its Monte Carlo standard error.
    `effective`: the smallest effective number of draws that a subject has."""

    value: float
    error: float
    effective: float


def importance(
    population: Population, x: Vector, at: Evaluation, problem: Problem, draws: int = DRAWS, seed: int = 0
) -> Sampled:
    """Importance sampling at the parameters x, with `draws` for each subject; the same numbers for the same seed.

    `at`: an evaluation at x, whose modes and curvatures place the draws.
    """
    individual = Individual(population, interaction=True)
    effects, subjects = individual.effects(problem), problem.subjects
    if effects == 0:
        raise ValueError("nobody differs from anybody: there is no integral to sample")
    random = np.random.default_rng(seed)
    normal = random.standard_normal((effects, draws, subjects))
    t = normal / np.sqrt(random.chisquare(FREEDOM, (draws, subjects)) / FREEDOM)
    z, w = jnp.asarray(at.z), jnp.asarray(at.w)
    logs = np.asarray(_log_weights(jnp.asarray(x), z, w, jnp.asarray(np.moveaxis(t, 1, 0)), population, problem))
    largest = logs.max(axis=0)
    weights = np.exp(logs - largest)
    mean = weights.mean(axis=0)
    value = -2.0 * (np.log(mean) + largest) - np.asarray(problem.constant)
    relative = weights.var(axis=0, ddof=1) / (draws * mean**2)
    effective = weights.sum(axis=0) ** 2 / (weights**2).sum(axis=0)
    return Sampled(float(value.sum()), float(2.0 * np.sqrt(relative.sum())), float(effective.min()))


def ahead(
    x: Float[Array, " parameter"], at: Evaluation, population: Population, problem: Problem
) -> Callable[[], object]:
    """What is to be compiled for `importance`; of `at` shapes will do."""
    t = jax.ShapeDtypeStruct((DRAWS, *at.z.shape), float)
    return _log_weights.ahead(x, at.z, at.w, t, population, problem)[1]


@compiled("population", long=True)
def _log_weights(
    x: Float[Array, " parameter"],
    z: Z,
    w: Curvature,
    t: Float[Array, "draw effect subject"],
    population: Population,
    problem: Problem,
) -> Float[Array, "draw subject"]:
    individual = Individual(population, interaction=True)
    values = population.packing.values(spread(x, problem))
    n = t.shape[1]
    constant = lgamma((FREEDOM + n) / 2) - lgamma(FREEDOM / 2) - n / 2 * log(FREEDOM * pi)

    def log_weight(u: Float[Array, "effect subject"]) -> Float[Array, " subject"]:
        moved = z + dense.applied(dense.transposed(w), u)
        joint = -individual.loss(values, moved, None, problem) - n / 2 * log(2 * pi)
        proposal = constant - (FREEDOM + n) / 2 * jnp.log1p((u**2).sum(axis=0) / FREEDOM)
        return joint - proposal - 0.5 * dense.log_determinant(w)

    return jax.lax.map(log_weight, t)
