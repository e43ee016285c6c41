"""Modes as numbers, from which derivatives start, and as functions of the parameters.

The derivative of a mode is that of the implicit function: with g(x, z) = dF/dz = 0 and H = d2F/dz2,

    dz/dx = -H^-1 dg/dx

to any order, for the rule is applied to itself. Almquist, Leander and Jirstrand 2015,
doi:10.1007/s10928-015-9409-1.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from pkpd.fit import arrow, dense, kinks
from pkpd.fit.individual import Individual, PerSubject, Values, Z
from pkpd.fit.kinks import Held, Surface
from pkpd.fit.mode import NEAR, Modes
from pkpd.fit.problem import Problem

_NEWTON = 3
"""Newton's steps with the exact curvature, from where the search ended."""

_EXPANSIONS = 4
"""How often the problem is expanded until it is near."""


class Place(NamedTuple):
    """Where the modes are, as numbers: what is left to differentiate starts here.

    z: the modes. w: whitener of the curvature there. near: the problem expanded at the modes; near_centre: at z = 0,
    if the error's scale is that at z = 0. failed: subjects without a mode. steps: for each, those
    of the slowest it was searched with. held: the slabs that the modes are the lowest points of, and those on an edge;
    None where there are no kinks.
    """

    z: Float[Array, "effect ..."]
    w: Float[Array, "effect effect ..."]
    near: Problem
    near_centre: Problem | None
    failed: Bool[Array, "..."]
    steps: Int[Array, "..."]
    held: Held | None = None


def placed(
    individual: Individual, values: Values, problem: Problem, order: int, degree: int, begin: Modes | Z
) -> Place:
    """The modes at `values`; the problem expanded there to `degree`, or to what `order` derivatives of them need.

    The search ends near a mode. From there Newton's method goes on with the exact curvature, on the polynomial that
    stands for the predictions; if it goes further than the polynomial is good for, they are expanded anew.
    `begin`: where the search ended; or the modes themselves, where there are no kinks.
    """
    fixed = jax.lax.stop_gradient(values)
    own, sharing = individual.own(problem), problem.sharing
    near_centre = None
    if not individual.interaction:
        zero = jnp.zeros((individual.effects(problem), problem.subjects))
        near_centre = individual.near(fixed, zero, problem, order, order)
    centre = None if near_centre is None else individual.centre(fixed, near_centre)
    if isinstance(begin, Modes):
        found = begin
    else:
        nothing = jnp.zeros(problem.subjects)
        found = Modes(begin, nothing, jnp.isfinite(begin).all(axis=0), nothing.astype(int))
    surface = Surface(individual, fixed, problem)
    held = None if found.slab is None else kinks.kept(surface, found.z, found.slab)

    @jax.jit  # so that it is traced once, though it is asked for its shapes first
    def expanded(z: Z) -> _Expanded:
        near = individual.near(fixed, z, problem, max(degree, order + 1, 2), order)

        def newton(_: Int[Array, ""], last: tuple[Z, Array, Held | None]) -> tuple[Z, Array, Held | None]:
            z, _, held = last
            curvature, a = individual.hessian(fixed, z, centre, near), z
            if held is not None:
                a = surface.normal(z)
                curvature = curvature + held.multiplier[None, None] * surface.bend(z)
                curvature, held = kinks.firm(curvature, a, held)
            w = arrow.whitener(curvature, own, sharing)
            step = arrow.solve(w, individual.gradient(fixed, z, centre, near), own, sharing)
            if held is not None:
                step, multiplier = kinks.on_edge(step, a, surface.at(z) - held.at, held, w)
                held = held._replace(multiplier=multiplier)
            return z - step, w, held

        start = (z, jnp.zeros((z.shape[0], *z.shape)), held)
        end, w, kept = jax.lax.fori_loop(0, _NEWTON, newton, start)
        return _Expanded(near, end, w, jnp.abs(end - z).max(axis=0), kept)

    def searched(z: Z, running: Bool[Array, " subject"]) -> _Expanded:
        start = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(expanded, z))
        start = start._replace(z=z, moved=jnp.where(running, jnp.inf, 0.0))
        end, _ = jax.lax.while_loop(
            lambda last: (last[0].moved > NEAR).any() & (last[1] < _EXPANSIONS),
            lambda last: (expanded(last[0].z), last[1] + 1),
            (start, jnp.asarray(0)),
        )
        return end

    end = searched(found.z, found.found) if isinstance(begin, Modes) else expanded(begin)
    failed = arrow.largest(jnp.where(found.found & (end.moved <= NEAR), 0.0, 1.0), sharing) > 0
    place = Place(end.z, end.w, end.near, near_centre, failed, found.steps, end.held)
    return jax.lax.stop_gradient(place)


class _Expanded(NamedTuple):
    """The problem expanded where a search ended, and where Newton's method goes from there, how far; what is held."""

    near: Problem
    z: Float[Array, "effect subject"]
    w: Float[Array, "effect effect subject"]
    moved: Float[Array, " subject"]
    held: Held | None


def mode_at(individual: Individual, values: Values, place: Place, order: int) -> tuple[Z, dict[str, Array] | None]:
    """The modes, and the scales held at z = 0 if any; functions of `values` to be differentiated `order` times.

    From the mode z*, where g = 0, `order` further steps z - H^-1 g(x, z) are taken, with H held constant. They do
    not move z*; but as a function of x, each of them makes one more derivative that of the implicit function.
    """
    z, near, centre = place.z, place.near, _centre_at(individual, values, place)
    own, sharing = individual.own(near), near.sharing
    for _ in range(order):
        z = z - arrow.solve(place.w, individual.gradient(values, z, centre, near), own, sharing)
    return z, centre


def lowest_at(
    individual: Individual, values: Values, place: Place, held: Held, order: int
) -> tuple[Z, PerSubject, dict[str, Array] | None]:
    """The same of slabs: their lowest z, on an edge where it is `held`, and its multiplier."""
    z, near, centre = place.z, place.near, _centre_at(individual, values, place)
    surface, multiplier = Surface(individual, values, near), held.multiplier
    a = Surface(individual, jax.lax.stop_gradient(values), near).normal(z)
    for _ in range(order):
        gradient = individual.gradient(values, z, centre, near) + multiplier[None] * surface.normal(z)
        step = dense.applied(dense.transposed(place.w), dense.applied(place.w, gradient))
        step, more = kinks.on_edge(step, a, surface.at(z) - held.at, held, place.w)
        z, multiplier = z - step, multiplier + more
    return z, multiplier, centre


def _centre_at(individual: Individual, values: Values, place: Place) -> dict[str, Array] | None:
    return None if place.near_centre is None else individual.centre(values, place.near_centre)
