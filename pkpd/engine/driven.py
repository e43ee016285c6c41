"""Responses driven by an exactly known linear block: the one loop that integrates.

All subjects of a batch step together, the step set by the one with the largest error (root mean square over its
states). Each segment between events is walked from 0 to 1 in steps 2^-m that start at multiples of their own
length, so segments of different length share a loop and every segment ends exactly at its boundary.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from pkpd.engine.dyadic import LEVELS, DyadicDrive, advance, at_level, drives
from pkpd.engine.exact import enter
from pkpd.engine.explicit import ExplicitMethod
from pkpd.errors import InputError

Column = Float[Array, " batch"]
_WHOLE = 1 << LEVELS
_SAFETY = 0.9
_SAME_MOMENT = 1e-12
"""Times closer than this part of the last one are one moment to the output rows."""
_FIRST_STEP = 1.0
"""Step [h] tried first in the first segment; later segments begin with the one that worked before."""


@dataclass(frozen=True)
class Tolerances:
    """A step is accepted when the error estimate is below `rtol |y| + atol` in root mean square over the states.

    The run ends as failed after `max_steps` steps, accepted and rejected. Raises `InputError` unless all are
    positive.
    """

    rtol: float = 1e-7
    atol: float = 1e-9
    max_steps: int = 200_000

    def __post_init__(self) -> None:
        for name in ("rtol", "atol", "max_steps"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name):g}; it must be more than 0")


class Outcome(NamedTuple):
    """Values at the output times, and how the integration went.

    failed_at [h]: the time at which a subject's integration gave up, infinite if it did not; its values are NaN.
    """

    values: Float[Array, "time state batch"]
    failed_at: Column
    accepted: Int[Array, ""]
    rejected: Int[Array, ""]


class _Span(NamedTuple):
    """Bounds over the batch of when a segment begins and how long it lasts [h]."""

    first_begin: Float[Array, ""]
    last_begin: Float[Array, ""]
    shortest: Float[Array, ""]
    longest: Float[Array, ""]


class _Walk(NamedTuple):
    place: Int[Array, ""]
    level: Int[Array, ""]
    x: tuple[Column, ...]
    y: tuple[Column, ...]
    slope: tuple[Column, ...]
    rows: Float[Array, "time state batch"]
    next_row: Int[Array, ""]
    failed_at: Column
    accepted: Int[Array, ""]
    rejected: Int[Array, ""]
    first_step: Float[Array, ""]


def integrate(
    derivative: Callable[[SimpleNamespace, dict[str, Column]], tuple[Column, ...]],
    state_names: tuple[str, ...],
    initial: tuple[Column, ...],
    drive: DyadicDrive,
    read: Callable[[tuple[Column, ...]], dict[str, Column]],
    durations: Float[Array, "kind batch"],
    kind: Int[Array, " segment"],
    start: Float[Array, "segment batch"],
    jump: Float[Array, "segment compartment batch"],
    rate: Float[Array, "segment infused batch"],
    times: Float[Array, "time column"],
    method: ExplicitMethod,
    tolerances: Tolerances,
) -> Outcome:
    """Integrate dy/dt = derivative(y, u) through all segments, u = readouts of x, dx/dt = A x exactly.

    read(x) gives the readouts of the linear states x. `times` [h] ascend; they have one column per subject or a
    single one for all. At the moment of a jump a row shows the value before it.
    """
    count = times.shape[0]
    slack = _SAME_MOMENT * jnp.maximum(jnp.max(jnp.abs(times)), 1.0)
    rows = jnp.broadcast_to(jnp.stack(initial)[None], (count, len(initial), initial[0].shape[0]))

    def slope_at(y: tuple[Column, ...], u: dict[str, Column]) -> tuple[Column, ...]:
        return derivative(SimpleNamespace(**dict(zip(state_names, y, strict=True))), u)

    def segment(walk: _Walk, part: tuple[Array, Array, Array, Array]) -> tuple[_Walk, None]:
        which, begin, enters, running = part
        duration = lax.dynamic_index_in_dim(durations, which, keepdims=False)
        longest = jnp.max(duration)
        span = _Span(jnp.min(begin), jnp.max(begin), jnp.min(duration), longest)
        x = enter(walk.x, enters, running)
        wanted = jnp.ceil(jnp.log2(jnp.maximum(longest, 1e-300) / walk.first_step))
        walk = walk._replace(
            place=jnp.where(longest > 0, 0, _WHOLE),
            level=LEVELS - jnp.clip(wanted, 0, LEVELS).astype(int),
            x=x,
            slope=slope_at(walk.y, read(x)),
        )

        def unfinished(walk: _Walk) -> Bool[Array, ""]:
            return (walk.place < _WHOLE) & (walk.accepted + walk.rejected < tolerances.max_steps)

        def step(walk: _Walk) -> _Walk:
            size = jnp.left_shift(1, walk.level)
            h = duration * (size.astype(float) / _WHOLE)
            looks, steps = at_level(drive, walk.level, which)
            u = drives(drive, looks, walk.x)
            slopes = _stages(method, slope_at, walk.y, walk.slope, h, u)
            y = tuple(y0 + h * _weigh(method.b, [k[v] for k in slopes]) for v, y0 in enumerate(walk.y))
            error = _error(method, tolerances, h, walk.y, y, slopes)
            error = jnp.where(walk.failed_at == jnp.inf, error, 0.0)
            worst = jnp.max(error)
            worst = jnp.where(jnp.isfinite(worst), worst, jnp.inf)
            accept = (worst <= 1.0) | (walk.level == 0)

            def give_up() -> tuple[tuple[Column, ...], Column]:
                # No step is small enough for some subject: it stops here, the others go on.
                fails = ~(error <= 1.0)
                now = begin + duration * (walk.place.astype(float) / _WHOLE)
                stopped = tuple(jnp.where(fails, old, new) for new, old in zip(y, walk.y, strict=True))
                return stopped, jnp.where(fails, now, walk.failed_at)

            y, failed_at = lax.cond(accept & (worst > 1.0), give_up, lambda: (y, walk.failed_at))
            next_row, rows = _write_rows(method, walk, times, slack, span, begin, duration, size, slopes, accept)

            def kept(new: tuple[Column, ...], old: tuple[Column, ...]) -> tuple[Column, ...]:
                return tuple(jnp.where(accept, a, b) for a, b in zip(new, old, strict=True))

            place = jnp.where(accept, walk.place + size, walk.place)
            return _Walk(
                place=place,
                level=_next_level(method, worst, accept, walk.level, place),
                x=kept(advance(drive, steps, walk.x), walk.x),
                y=kept(y, walk.y),
                slope=kept(slopes[-1], walk.slope),
                rows=rows,
                next_row=next_row,
                failed_at=failed_at,
                accepted=walk.accepted + accept.astype(int),
                rejected=walk.rejected + (~accept).astype(int),
                first_step=jnp.where(
                    accept & (walk.place == 0), longest * (size.astype(float) / _WHOLE), walk.first_step
                ),
            )

        walk = lax.while_loop(unfinished, step, walk)
        stuck = (walk.place < _WHOLE) & (walk.failed_at == jnp.inf)
        now = begin + duration * (walk.place.astype(float) / _WHOLE)
        return walk._replace(failed_at=jnp.where(stuck, now, walk.failed_at)), None

    zero = jnp.asarray(0)
    first_row = jnp.sum(jnp.all(times <= jnp.max(start[0]), axis=1).astype(int))
    walk = _Walk(
        place=zero,
        level=zero,
        x=tuple(jnp.zeros_like(initial[0]) for _ in range(jump.shape[1] + rate.shape[1])),
        y=initial,
        slope=tuple(jnp.zeros_like(v) for v in initial),
        rows=rows,
        next_row=first_row,
        failed_at=jnp.full_like(initial[0], jnp.inf),
        accepted=zero,
        rejected=zero,
        first_step=jnp.asarray(_FIRST_STEP),
    )
    walk = lax.scan(segment, walk, (kind, start, jump, rate))[0]
    values = jnp.where((walk.failed_at == jnp.inf)[None, None, :], walk.rows, jnp.nan)
    return Outcome(values, walk.failed_at, walk.accepted, walk.rejected)


def _weigh(weights: Float[np.ndarray, " stages"], slopes: list[Column]) -> Column:
    terms = [float(w) * k for w, k in zip(weights, slopes, strict=True) if w != 0.0]
    return sum(terms[1:], terms[0])


def _stages(
    method: ExplicitMethod,
    slope_at: Callable[[tuple[Column, ...], dict[str, Column]], tuple[Column, ...]],
    y: tuple[Column, ...],
    slope: tuple[Column, ...],
    h: Column,
    u: list[dict[str, Column]],
) -> list[tuple[Column, ...]]:
    slopes = [slope]
    for i in range(1, method.stages):
        inner = tuple(y0 + h * _weigh(method.a[i - 1], [k[v] for k in slopes]) for v, y0 in enumerate(y))
        slopes.append(slope_at(inner, u[method.fractions.index(float(method.c[i]))]))
    return slopes


def _error(
    method: ExplicitMethod,
    tolerances: Tolerances,
    h: Column,
    before: tuple[Column, ...],
    after: tuple[Column, ...],
    slopes: list[tuple[Column, ...]],
) -> Column:
    total = jnp.zeros_like(h)
    for v, (y0, y1) in enumerate(zip(before, after, strict=True)):
        scale = tolerances.atol + tolerances.rtol * jnp.maximum(jnp.abs(y0), jnp.abs(y1))
        total = total + (h * _weigh(method.e, [k[v] for k in slopes]) / scale) ** 2
    return jnp.sqrt(total / len(before))


def _next_level(
    method: ExplicitMethod,
    worst: Float[Array, ""],
    accept: Bool[Array, ""],
    level: Int[Array, ""],
    place: Int[Array, ""],
) -> Int[Array, ""]:
    """Double or halve as often as the error allows, but only to a step that `place` is a multiple of."""
    factor = jnp.clip(_SAFETY * jnp.maximum(worst, 1e-10) ** (-1.0 / method.order), 2.0**-5, 2.0**3)
    doublings = jnp.floor(jnp.log2(factor)).astype(int)
    change = jnp.where(accept, jnp.maximum(doublings, 0), jnp.minimum(doublings, -1))
    aligned = jnp.where(place == 0, LEVELS, lax.population_count((place & -place) - 1))
    return jnp.clip(level + change, 0, aligned)


def _write_rows(
    method: ExplicitMethod,
    walk: _Walk,
    times: Float[Array, "time column"],
    slack: Float[Array, ""],
    span: _Span,
    begin: Column,
    duration: Column,
    size: Int[Array, ""],
    slopes: list[tuple[Column, ...]],
    accept: Bool[Array, ""],
) -> tuple[Int[Array, ""], Float[Array, "time state batch"]]:
    """Fill the output rows that fall into this step, by the method's own interpolant.

    Rows are visited from the first that some subject may still lack to the last that some subject may reach. A row
    on a boundary belongs to the step that ends there; with one `slack` for all steps rounding cannot lose it
    between two of them.
    """
    count = times.shape[0]
    left = walk.place.astype(float) / _WHOLE
    right = (walk.place + size).astype(float) / _WHOLE
    all_past = span.first_begin + span.shortest * right + slack
    some_reach = span.last_begin + span.longest * right + slack

    def time_of(k: Int[Array, ""]) -> Float[Array, " column"]:
        return lax.dynamic_index_in_dim(times, jnp.minimum(k, count - 1), keepdims=False)

    def reached(carry: tuple[Array, Array, Array]) -> Bool[Array, ""]:
        k = carry[0]
        return accept & (k < count) & (jnp.min(time_of(k)) <= some_reach)

    def write(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        k, next_row, rows = carry
        at = time_of(k)
        now, h = begin + duration * left, duration * (right - left)
        end = begin + duration * right
        s = (at - now) / jnp.where(h > 0, h, 1.0)
        mine = (at > now + slack) & (at <= end + slack) & (h > 0)
        weights = [sum(float(w) * s ** (d + 1) for d, w in enumerate(stage) if w != 0.0) for stage in method.dense]
        inside = []
        for v, y0 in enumerate(walk.y):
            terms = [w * k_[v] for w, k_ in zip(weights, slopes, strict=True)]
            inside.append(y0 + h * sum(terms[1:], terms[0]))
        before = lax.dynamic_index_in_dim(rows, k, keepdims=False)
        rows = lax.dynamic_update_index_in_dim(rows, jnp.where(mine[None, :], jnp.stack(inside), before), k, 0)
        return k + 1, next_row + (jnp.max(at) <= all_past).astype(int), rows

    _, next_row, rows = lax.while_loop(reached, write, (walk.next_row, walk.next_row, walk.rows))
    return next_row, rows
