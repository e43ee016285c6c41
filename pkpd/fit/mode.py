"""The most likely random effects of each subject: a damped Newton method, and the derivative of where it ends.

Started at z = 0 each time: the mode, and with it the objective, is a function of the parameters alone. Its
derivative is that of the implicit function: with g(x, z) = dF/dz = 0 and H = d2F/dz2,

    dz/dx = -H^-1 dg/dx

to any order, for the rule is applied to itself. Almquist, Leander and Jirstrand 2015,
doi:10.1007/s10928-015-9409-1.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from pkpd.fit import arrow, dense, kinks
from pkpd.fit.arrow import Sharing
from pkpd.fit.individual import Individual, PerSubject, Values, Z
from pkpd.fit.kinks import Held
from pkpd.fit.problem import Problem

STEPS = 500
"""Steps after which a subject has failed."""

_FORGOTTEN = 50
"""Every so many steps S begins anew: along a bent valley it may come to forbid all but the smallest steps."""

_SETTLED = 1e-6
"""A step shorter than this, in SDs of a random effect, is the last one: Newton's method does the rest."""

_NEWTON = 3
"""Newton's steps with the exact curvature, from where the search ended."""

_NEAR = 1e-5
"""Distance of the mode from where the problem is expanded, in SDs, up to which its derivatives are the mode's."""

_EXPANSIONS = 4
"""How often the problem is expanded until it is near."""

_REACH = 4.0
"""No step is longer than this, in SDs: far out, a model takes long to integrate and says little."""

_NOISE = 1e-8
"""Relative difference of F that an integration, whose steps are those of the slowest subject, may make."""


class Search(NamedTuple):
    """Where the search for the modes is."""

    z: Float[Array, "effect subject"]
    value: Float[Array, " subject"]
    gradient: Float[Array, "effect subject"]
    curvature: Float[Array, "effect effect subject"]
    missing: Float[Array, "effect effect subject"]
    damping: Float[Array, " subject"]
    running: Bool[Array, " subject"]
    steps: Int[Array, ""]


class Modes(NamedTuple):
    """Near which point each mode is, whether the search came to an end there, and the steps the slowest took."""

    z: Float[Array, "effect subject"]
    found: Bool[Array, " subject"]
    steps: Int[Array, " subject"]


def modes(individual: Individual, values: Values, centre: dict[str, Array] | None, problem: Problem) -> Modes:
    """The mode of each subject from z = 0.

    Steps -(G + S)^-1 g, with G the curvature without second derivatives of the prediction, and S what the changes of
    the gradient tell about those (Dennis, Gay and Welsch 1981, doi:10.1145/355958.355965): G alone converges slowly, or
    not at all, far from the data. Where F does not decrease, -(G + d I)^-1 g with d raised until it does (Levenberg
    and Marquardt), and until d is 0 again: where predictions bend a lot, S misleads. A step is judged by the better of
    its two promises, with S and without, and is the last one only if both agree that the mode is near.
    Subjects that share random effects step and end together.
    """
    own, sharing = individual.own(problem), problem.sharing

    def steepness(gradient: Z) -> PerSubject:
        whole = jnp.concatenate([gradient[:own], arrow.joined(gradient[own:], sharing)])
        return arrow.joined(arrow.squared(whole, own, sharing), sharing)

    def advance(search: Search) -> Search:
        step, plain = _step(search, own, sharing)
        step = jnp.where(search.running[None], step, 0.0)
        z = search.z + step
        value, gradient, curvature = individual.expanded(values, z, centre, problem)
        value = arrow.joined(value, sharing)
        same = jnp.abs(value - search.value) <= _NOISE * (1.0 + jnp.abs(value))
        closer = steepness(gradient) <= steepness(search.gradient)
        better = jnp.isfinite(value) & jnp.isfinite(arrow.joined(curvature.sum(axis=(0, 1)), sharing))
        better &= (value < search.value) | (same & closer)
        small = _length(step, sharing) < _SETTLED * (1.0 + _length(z, sharing))
        near = _length(plain, sharing) < _NEAR
        # The first step is none: it finds out what F is at z = 0, so that the model is compiled in one place only.
        first = search.steps == 0
        better = jnp.where(first, jnp.isfinite(value), better)
        moved = search.running & better
        # A step that small and yet not better has met rounding: there is nothing left to gain.
        running = search.running & jnp.where(first, better, ~(small & (near | ~better)))
        share = _foreseen(search, step, search.value - value, sharing)
        eased = jnp.where(search.damping > 1e-3, search.damping * 0.1, 0.0)
        raised = jnp.maximum(search.damping * 4.0, 0.1)
        # Near the end rounding decides the share; there the step is trusted.
        kept = jnp.where((share > 0.75) | same, eased, jnp.where(share > 0.25, search.damping, raised))
        missing = _secant(search.missing, step, gradient - search.gradient, curvature)
        missing = jnp.where(search.steps % _FORGOTTEN == 0, 0.0, missing)
        return Search(
            z=jnp.where(moved[None], z, search.z),
            value=jnp.where(moved, value, search.value),
            gradient=jnp.where(moved[None], gradient, search.gradient),
            curvature=jnp.where(moved[None, None], curvature, search.curvature),
            missing=jnp.where((moved & ~first)[None, None], missing, search.missing),
            damping=jnp.where(first, 0.0, jnp.where(better, kept, jnp.maximum(search.damping * 10.0, 1.0))),
            running=running,
            steps=search.steps + 1,
        )

    n, subjects = individual.effects(problem), problem.subjects
    nothing, yes = jnp.zeros(subjects), jnp.ones(subjects, bool)
    start, none = jnp.zeros((n, subjects)), jnp.zeros((n, n, subjects))
    unit = none + jnp.eye(n)[:, :, None]
    search = Search(start, nothing + jnp.inf, start, unit, none, nothing, yes, jnp.asarray(0))
    search = jax.lax.while_loop(lambda s: s.running.any() & (s.steps < STEPS), advance, search)
    return Modes(search.z, jnp.isfinite(search.value) & ~search.running, jnp.full(subjects, search.steps))


def _step(search: Search, own: int, sharing: Sharing | None) -> tuple[Z, Z]:
    """-(G + S)^-1 g, or -(G + d I)^-1 g where d is not 0, or G + S not positive definite; and the latter in any case,
    of any length."""
    diagonal = search.damping[None, None] * jnp.eye(search.z.shape[0])[:, :, None]
    full = arrow.whitener(search.curvature + search.missing, own, sharing)
    safe = arrow.whitener(search.curvature + diagonal, own, sharing)
    sound = jnp.isfinite(full).all(axis=(0, 1)) & (search.damping == 0)
    sound = arrow.joined(jnp.where(sound, 0.0, 1.0), sharing) == 0
    plain = -arrow.solve(safe, search.gradient, own, sharing)
    step = jnp.where(sound[None], -arrow.solve(full, search.gradient, own, sharing), plain)
    return step * jnp.minimum(1.0, _REACH / jnp.maximum(_length(step, sharing), 1e-300))[None], plain


def _foreseen(search: Search, step: Z, gain: PerSubject, sharing: Sharing | None) -> PerSubject:
    """How much of what it promised a step did for F: of the two promises, with S and without, the one that came
    nearer."""

    def promised(curvature: Array) -> PerSubject:
        bent = search.gradient + 0.5 * dense.applied(curvature, step)
        return -arrow.joined((step * bent).sum(axis=0), sharing)

    without, whole = promised(search.curvature), promised(search.curvature + search.missing)
    best = jnp.where(jnp.abs(whole - gain) < jnp.abs(without - gain), whole, without)
    return gain / jnp.where(best > 0, best, jnp.inf)


def _length(z: Z, sharing: Sharing | None) -> PerSubject:
    """The largest element."""
    return arrow.largest(jnp.abs(z).max(axis=0), sharing)


def _secant(missing: Array, s: Z, y: Z, curvature: Array) -> Array:
    """S changed least so that (G + S) s = y, sized first so that an old S does not outlive its truth."""
    change = y - dense.applied(curvature, s)
    held = dense.applied(missing, s)
    sy, shs, sc = (s * y).sum(axis=0), (s * held).sum(axis=0), (s * change).sum(axis=0)
    size = jnp.where(jnp.abs(shs) > jnp.abs(sc), jnp.abs(sc) / jnp.where(shs == 0, 1.0, jnp.abs(shs)), 1.0)
    rest = change - size[None] * held
    usable = sy > 1e-300
    weight = jnp.where(usable, 1.0 / jnp.where(usable, sy, 1.0), 0.0)
    cross = rest[:, None] * y[None] * weight[None, None]
    own = (s * rest).sum(axis=0) * weight**2
    new = size[None, None] * missing + cross + dense.transposed(cross) - own[None, None] * y[:, None] * y[None]
    return jnp.where(usable[None, None], new, missing)


class Place(NamedTuple):
    """Where the modes are, as numbers: what is left to differentiate starts here.

    z: the modes. w: whitener of the curvature there. near: the problem expanded at the modes; near_centre: at z = 0,
    if the error's scale is that at z = 0. failed: subjects without a mode. steps: for each, those
    of the slowest it was searched with. held: modes on kinks; None where there can be none.
    """

    z: Float[Array, "effect subject"]
    w: Float[Array, "effect effect subject"]
    near: Problem
    near_centre: Problem | None
    failed: Bool[Array, " subject"]
    steps: Int[Array, " subject"]
    held: Held | None = None


def placed(
    individual: Individual, values: Values, problem: Problem, order: int, degree: int, begin: Modes | Z
) -> Place:
    """The modes at `values`; the problem expanded there to `degree`, or to what `order` derivatives of them need.

    The search ends near a mode. From there Newton's method goes on with the exact curvature, on the polynomial that
    stands for the predictions; if it goes further than the polynomial is good for, they are expanded anew.
    `begin`: where the search ended; or the modes themselves. Where it leads away from there, the mode may be on a kink:
    see `pkpd.fit.kinks`.
    """
    held = jax.lax.stop_gradient(values)
    own, sharing = individual.own(problem), problem.sharing
    near_centre = None
    if not individual.interaction:
        zero = jnp.zeros((individual.effects(problem), problem.subjects))
        near_centre = individual.near(held, zero, problem, order, order)
    centre = None if near_centre is None else individual.centre(held, near_centre)
    if isinstance(begin, Modes):
        found = begin
    else:
        found = Modes(begin, jnp.isfinite(begin).all(axis=0), jnp.zeros(problem.subjects, int))

    names = kinks.timed(individual, held, problem)

    @jax.jit  # so that it is traced once, though it is asked for its shapes first
    def expanded(z: Z, kept: Held) -> _Expanded:
        near = individual.near(held, z, problem, max(degree, order + 1, 2), order)

        def newton(_: Int[Array, ""], last: tuple[Z, Array, PerSubject]) -> tuple[Z, Array, PerSubject]:
            z, multiplier = last[0], last[2]
            w = arrow.whitener(individual.hessian(held, z, centre, near), own, sharing)
            step = arrow.solve(w, individual.gradient(held, z, centre, near), own, sharing)
            if names:
                normal, off = (what(individual, held, z, kept, near, names) for what in (kinks.normal, kinks.off))
                step, multiplier = kinks.on_surface(step, normal, off, kept, w, own, sharing)
            return z - step, w, multiplier

        start = (z, jnp.zeros((z.shape[0], *z.shape)), kept.multiplier)
        end, w, multiplier = jax.lax.fori_loop(0, _NEWTON, newton, start)
        return _Expanded(near, end, w, jnp.abs(end - z).max(axis=0), multiplier)

    def searched(z: Z, kept: Held, running: Bool[Array, " subject"]) -> _Expanded:
        start = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(expanded, z, kept))
        start = start._replace(z=z, moved=jnp.where(running, jnp.inf, 0.0))
        end, _ = jax.lax.while_loop(
            lambda last: (last[0].moved > _NEAR).any() & (last[1] < _EXPANSIONS),
            lambda last: (expanded(last[0].z, kept), last[1] + 1),
            (start, jnp.asarray(0)),
        )
        return end

    nobody = kinks.nobody(names, problem)
    end = searched(found.z, nobody, found.found) if isinstance(begin, Modes) else expanded(begin, nobody)
    kept = None
    if names:
        lost = found.found & ~(end.moved <= _NEAR)
        slope = individual.gradient(held, found.z, centre, problem)
        kept = kinks.found(individual, held, found.z, slope, lost, problem, names)
        again = searched(jnp.where(lost[None], found.z, end.z), kept, jnp.broadcast_to(lost.any(), lost.shape))
        end = jax.tree.map(lambda new, old: jnp.where(lost.any(), new, old), again, end)
        # Just beside a kink that is a mode F rises; else the search has stopped too soon.
        end = end._replace(moved=jnp.where(end.multiplier > 0, jnp.inf, end.moved))
        kept = kept._replace(multiplier=end.multiplier)
    failed = arrow.largest(jnp.where(found.found & (end.moved <= _NEAR), 0.0, 1.0), sharing) > 0
    return jax.lax.stop_gradient(Place(end.z, end.w, end.near, near_centre, failed, found.steps, kept))


class _Expanded(NamedTuple):
    """The problem expanded where a search ended, and where Newton's method goes from there, how far; the multipliers of
    what is held."""

    near: Problem
    z: Float[Array, "effect subject"]
    w: Float[Array, "effect effect subject"]
    moved: Float[Array, " subject"]
    multiplier: Float[Array, " subject"]


def mode_at(individual: Individual, values: Values, place: Place, order: int) -> tuple[Z, dict[str, Array] | None]:
    """The modes, and the scales held at z = 0 if any; functions of `values` to be differentiated `order` times.

    From the mode z*, where g = 0, `order` further steps z - H^-1 g(x, z) are taken, with H held constant. They do
    not move z*; but as a function of x, each of them makes one more derivative that of the implicit function.
    """
    centre = None if place.near_centre is None else individual.centre(values, place.near_centre)
    z, near, held = place.z, place.near, place.held
    own, sharing = individual.own(near), near.sharing
    names = () if held is None else kinks.timed(individual, values, near)
    for _ in range(order):
        gradient = individual.gradient(values, z, centre, near)
        if held is None:
            z = z - arrow.solve(place.w, gradient, own, sharing)
            continue
        there = kinks.normal(individual, jax.lax.stop_gradient(values), place.z, held, near, names)
        gradient = gradient + held.multiplier[None] * kinks.normal(individual, values, z, held, near, names)
        step = arrow.solve(place.w, gradient, own, sharing)
        off = kinks.off(individual, values, z, held, near, names)
        step, more = kinks.on_surface(step, there, off, held, place.w, own, sharing)
        z, held = z - step, held._replace(multiplier=held.multiplier + more)
    return z, centre
