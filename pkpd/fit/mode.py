"""The search for the most likely random effects of each subject: a damped Newton method.

Started at z = 0 each time, or in a slab between kinks as near to it as can be: the mode, and with it the objective, is
a function of the parameters alone.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from pkpd.fit import arrow, dense
from pkpd.fit.arrow import Sharing
from pkpd.fit.individual import Individual, PerSubject, Values, Z
from pkpd.fit.kinks import Slab, Surface
from pkpd.fit.problem import Problem

STEPS = 500
"""Steps after which a subject has failed."""

_FORGOTTEN = 50
"""Every so many steps S begins anew: along a bent valley it may come to forbid all but the smallest steps."""

_SETTLED = 1e-6
"""A step shorter than this, in SDs of a random effect, is the last one: Newton's method does the rest."""

NEAR = 1e-5
"""Distance of the mode from where the problem is expanded, in SDs, up to which its derivatives are the mode's."""

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
    trusted: Bool[Array, " subject"]
    running: Bool[Array, " subject"]
    steps: Int[Array, ""]


class Modes(NamedTuple):
    """Near which point each mode is, F there, whether the search came to an end there, and the steps the slowest took;
    the slab that each was looked for in, if any."""

    z: Float[Array, "effect ..."]
    value: Float[Array, "..."]
    found: Bool[Array, "..."]
    steps: Int[Array, "..."]
    slab: Slab | None = None


def modes(
    individual: Individual, values: Values, centre: dict[str, Array] | None, problem: Problem, slab: Slab | None = None
) -> Modes:
    """The mode of each subject from z = 0, or in its slab.

    Steps -(G + S)^-1 g, with G the curvature without second derivatives of the prediction, and S what the changes of
    the gradient tell about those (Dennis, Gay and Welsch 1981, doi:10.1145/355958.355965): G alone converges slowly, or
    not at all, far from the data. Where F does not decrease, -(G + d I)^-1 g with d raised until it does (Levenberg
    and Marquardt), and until d is 0 again or S has told the last gain better than G alone: where predictions bend a
    lot, S misleads. A step is judged by the better of its two promises, with S and without, and is the last one only if
    both agree that the mode is near.
    Subjects that share random effects step and end together.
    """
    own, sharing = individual.own(problem), problem.sharing
    surface = Surface(individual, values, problem)

    def bent(w: Array, step: Z, z: Z) -> Z:
        return step if slab is None else surface.bent(z, step, w, slab)

    def steepness(gradient: Z) -> PerSubject:
        whole = jnp.concatenate([gradient[:own], arrow.joined(gradient[own:], sharing)])
        return arrow.joined(arrow.squared(whole, own, sharing), sharing)

    def advance(search: Search) -> Search:
        step, plain = _step(search, own, sharing, bent)
        step = jnp.where(search.running[None], step, 0.0)
        z = search.z + step
        if slab is not None:
            z = surface.moved(z, slab)
        value, gradient, curvature = individual.expanded(values, z, centre, problem)
        if slab is not None:
            value = jnp.where(surface.within(z, slab), value, jnp.inf)
        value = arrow.joined(value, sharing)
        same = jnp.abs(value - search.value) <= _NOISE * (1.0 + jnp.abs(value))
        closer = steepness(gradient) <= steepness(search.gradient)
        better = jnp.isfinite(value) & jnp.isfinite(arrow.joined(curvature.sum(axis=(0, 1)), sharing))
        better &= (value < search.value) | (same & closer)
        small = _length(step, sharing) < _SETTLED * (1.0 + _length(z, sharing))
        near = _length(plain, sharing) < NEAR
        # The first step is none: it finds out what F is at z = 0, so that the model is compiled in one place only.
        first = search.steps == 0
        better = jnp.where(first, jnp.isfinite(value), better)
        moved = search.running & better
        # A step that small and yet not better has met rounding: there is nothing left to gain.
        running = search.running & jnp.where(first, better, ~(small & (near | ~better)))
        share, told = _foreseen(search, step, search.value - value, sharing)
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
            trusted=moved & told & ~first,
            running=running,
            steps=search.steps + 1,
        )

    n, subjects = individual.effects(problem), problem.subjects
    nothing, yes = jnp.zeros(subjects), jnp.ones(subjects, bool)
    zero, none = jnp.zeros((n, subjects)), jnp.zeros((n, n, subjects))
    unit = none + jnp.eye(n)[:, :, None]
    start = zero if slab is None else surface.start(slab)
    search = Search(start, nothing + jnp.inf, zero, unit, none, nothing, ~yes, yes, jnp.asarray(0))
    search = jax.lax.while_loop(lambda s: s.running.any() & (s.steps < STEPS), advance, search)
    found = jnp.isfinite(search.value) & ~search.running
    return Modes(search.z, search.value, found, jnp.full(subjects, search.steps), slab)


def _step(search: Search, own: int, sharing: Sharing | None, bent: Callable[[Array, Z, Z], Z]) -> tuple[Z, Z]:
    """-(G + S + d I)^-1 g, or -(G + d I)^-1 g where d is not 0 and S not trusted, or the former not positive definite;
    and the latter in any case, of any length. Both `bent` so as not to leave a slab."""
    diagonal = search.damping[None, None] * jnp.eye(search.z.shape[0])[:, :, None]
    full = arrow.whitener(search.curvature + search.missing + diagonal, own, sharing)
    safe = arrow.whitener(search.curvature + diagonal, own, sharing)
    sound = jnp.isfinite(full).all(axis=(0, 1)) & ((search.damping == 0) | search.trusted)
    sound = arrow.joined(jnp.where(sound, 0.0, 1.0), sharing) == 0
    plain = bent(safe, -arrow.solve(safe, search.gradient, own, sharing), search.z)
    step = jnp.where(sound[None], bent(full, -arrow.solve(full, search.gradient, own, sharing), search.z), plain)
    return step * jnp.minimum(1.0, _REACH / jnp.maximum(_length(step, sharing), 1e-300))[None], plain


def _foreseen(
    search: Search, step: Z, gain: PerSubject, sharing: Sharing | None
) -> tuple[PerSubject, Bool[Array, " subject"]]:
    """How much of what it promised a step did for F: of the two promises, with S and without, the one that came
    nearer; and whether that was the one with S."""

    def promised(curvature: Array) -> PerSubject:
        bent = search.gradient + 0.5 * dense.applied(curvature, step)
        return -arrow.joined((step * bent).sum(axis=0), sharing)

    without, whole = promised(search.curvature), promised(search.curvature + search.missing)
    nearer = jnp.abs(whole - gain) < jnp.abs(without - gain)
    best = jnp.where(nearer, whole, without)
    return gain / jnp.where(best > 0, best, jnp.inf), nearer


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
