"""-2 log L by importance sampling: exact but for noise, and it says how much noise.

    L_i = E_q [p(y_i | z) p(z) / q(z)],    q a t distribution at the mode, as wide as the curvature there says

Heavy tails keep the weights bounded where the posterior is wider than its curvature. Kuhn and Lavielle 2005,
doi:10.1016/j.csda.2004.07.002. Between kinks a subject has several modes (`pkpd.fit.kinks`): there q is a mixture of
such distributions, each as often as its slab weighs.
"""

from collections.abc import Callable
from math import lgamma, log, pi
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from pkpd.fit import dense, kinks
from pkpd.fit.compilation import compiled
from pkpd.fit.individual import Individual, spread
from pkpd.fit.objective import Evaluation, Parts
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
    parts = _parts(at)
    share = np.exp(np.asarray(parts.log - parts.log.max(axis=0, keepdims=True)))
    share = share / share.sum(axis=0)
    which = (random.random((draws, 1, subjects)) > share.cumsum(axis=0)[None, :-1]).sum(axis=1)
    drawn = (jnp.asarray(np.moveaxis(t, 1, 0)), jnp.asarray(which))
    logs = np.asarray(_log_weights(jnp.asarray(x), parts, *drawn, population, problem))
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
    t, which = (
        jax.ShapeDtypeStruct((DRAWS, *shape), kind) for shape, kind in ((at.z.shape, float), (at.z.shape[1:], int))
    )
    return _log_weights.ahead(x, jax.eval_shape(_parts, at), t, which, population, problem)[1]


def _parts(at: Evaluation) -> Parts:
    """Those of an evaluation, or its modes as the only ones."""
    return at.parts or Parts(at.z[:, None], at.w[:, :, None], jnp.zeros_like(at.value)[None])


@compiled("population", long=True)
def _log_weights(
    x: Float[Array, " parameter"],
    parts: Parts,
    t: Float[Array, "draw effect subject"],
    which: Int[Array, "draw subject"],
    population: Population,
    problem: Problem,
) -> Float[Array, "draw subject"]:
    individual = Individual(population, interaction=True)
    values = population.packing.values(spread(x, problem))
    n = t.shape[1]
    constant = lgamma((FREEDOM + n) / 2) - lgamma(FREEDOM / 2) - n / 2 * log(FREEDOM * pi)
    log_share, back = 0.5 * dense.log_determinant(parts.w), None
    if len(parts.log) > 1:
        log_share = log_share + jax.nn.log_softmax(parts.log, axis=0)
        back = jnp.linalg.inv(jnp.moveaxis(parts.w, (0, 1), (-1, -2)))

    def log_weight(drawn: tuple[Float[Array, "effect subject"], Int[Array, " subject"]]) -> Float[Array, " subject"]:
        u, slab = drawn
        z, w = kinks.chosen((parts.z, parts.w), slab)
        moved = z + dense.applied(dense.transposed(w), u)
        joint = -individual.loss(values, moved, None, problem) - n / 2 * log(2 * pi)
        u = u[:, None] if back is None else jnp.einsum("ksij,jks->iks", back, moved[:, None] - parts.z)
        proposal = constant - (FREEDOM + n) / 2 * jnp.log1p((u**2).sum(axis=0) / FREEDOM) + log_share
        return joint - (proposal[0] if back is None else jax.nn.logsumexp(proposal, axis=0))

    return jax.lax.map(log_weight, (t, which))
