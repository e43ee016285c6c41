"""Modes on a kink: where a dose arrives, or an infusion ends, just at a sample.

A prediction has a kink in a lag or a duration psi where that is the time between a dose and a sample, and F, what a
mode minimises, often has its minimum just there, with slopes of both signs beside it. Such a mode z is that of F on the
surface on which psi stays: with a = d(log psi)/dz and a multiplier l,

    dF/dz + l a = 0,   log psi(x, z) = constant,

and its derivative in x is that of the implicit function of both equations. Derivatives of F are those just beside the
kink, psi being larger, always on the same side. The minimum of F itself is a smooth function of x there.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from pkpd.fit import arrow
from pkpd.fit.arrow import Sharing
from pkpd.fit.individual import Individual, PerSubject, Values, Z, units
from pkpd.fit.problem import Problem

_BESIDE = 1e-8
"""How far beside the kink, as a part of psi."""

_NEAR = 1e-4
"""How near to a kink, as a part of psi, a search that found no other end must have come."""


class Held(NamedTuple):
    """Whose psi is held, and which (1 or 0 for each); its logarithm there; the multiplier."""

    which: Float[Array, "timing subject"]
    at: PerSubject
    multiplier: PerSubject


def timed(individual: Individual, values: Values, problem: Problem) -> tuple[str, ...]:
    """The parameters that move kinks from subject to subject: one number each, by random effects of its own."""
    names = tuple(name for name in problem.timing if name in individual.population.varying)
    if not names or problem.apart is None or problem.sharing is not None:
        return ()
    zero = jnp.zeros((individual.effects(problem), problem.subjects))
    shapes = jax.eval_shape(lambda: individual.parameters(values, zero, problem))
    return tuple(name for name in names if shapes[name].ndim == 1)


def nobody(names: tuple[str, ...], problem: Problem) -> Held:
    """No psi is held."""
    none = jnp.zeros(problem.subjects)
    return Held(jnp.zeros((len(names), problem.subjects)), none, none)


def found(
    individual: Individual,
    values: Values,
    z: Z,
    slope: Z,
    lost: Bool[Array, " subject"],
    problem: Problem,
    names: tuple[str, ...],
) -> Held:
    """Of the `lost`, whose search ended at z with the gradient `slope`, those that are at a kink, and at which: the one
    whose normal the gradient is nearest to."""
    moments, normals = _moments(individual, values, z, problem, names), _normals(individual, values, z, problem, names)
    along = jnp.abs((normals * slope[:, None]).sum(axis=0)) / jnp.sqrt((normals**2).sum(axis=0) + 1e-300)
    which = jax.nn.one_hot(along.argmax(axis=0), len(names), axis=0)
    at, kinks = (moments * which).sum(axis=0), jnp.log(problem.apart)
    away = jnp.abs(kinks - at[None])
    there = lost & (away.min(axis=0) < _NEAR)
    nearest = jnp.take_along_axis(kinks, away.argmin(axis=0)[None], axis=0)[0]
    at = jnp.where(there, nearest + _BESIDE, 0.0)
    return Held(jnp.where(there[None], which, 0.0), at, jnp.zeros_like(at))


def normal(
    individual: Individual, values: Values, z: Z, held: Held, problem: Problem, names: tuple[str, ...]
) -> Float[Array, "effect subject"]:
    """d(log psi)/dz of what is held; 0 where nothing is."""
    return (_normals(individual, values, z, problem, names) * held.which[None]).sum(axis=1)


def off(
    individual: Individual, values: Values, z: Z, held: Held, problem: Problem, names: tuple[str, ...]
) -> PerSubject:
    """How far log psi is from where it is held."""
    return (_moments(individual, values, z, problem, names) * held.which).sum(axis=0) - held.at


def on_surface(
    step: Z, normal: Z, off: PerSubject, held: Held, w: Array, own: int, sharing: Sharing | None
) -> tuple[Z, PerSubject]:
    """Of a Newton step H^-1 g (to be subtracted) the one that brings psi to where it is held, and the multiplier."""
    some = held.which.sum(axis=0) > 0
    across = arrow.solve(w, normal, own, sharing)
    width = jnp.where(some, (normal * across).sum(axis=0), 1.0)
    multiplier = jnp.where(some, (off - (normal * step).sum(axis=0)) / width, 0.0)
    return step + across * multiplier[None], multiplier


def _moments(
    individual: Individual, values: Values, z: Z, problem: Problem, names: tuple[str, ...]
) -> Float[Array, "timing subject"]:
    parameters = individual.parameters(values, z, problem)
    return jnp.stack([jnp.log(parameters[name]) for name in names])


def _normals(
    individual: Individual, values: Values, z: Z, problem: Problem, names: tuple[str, ...]
) -> Float[Array, "effect timing subject"]:
    def along(unit: Z) -> Float[Array, "timing subject"]:
        return jax.jvp(lambda z: _moments(individual, values, z, problem, names), (z,), (unit,))[1]

    return jax.vmap(along)(units(z))
