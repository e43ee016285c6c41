"""The steps of an integration walked again, as a program that can be differentiated in any mode and order.

An adaptive loop decides how many steps it takes; reverse differentiation needs to know. So the steps are found once,
without derivatives, and then repeated as they are. What is differentiated is the numerical solution itself, with its
steps held: its derivative is as accurate as its value.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from pkpd.engine.dyadic import LEVELS, DyadicDrive, advance, drives
from pkpd.engine.lockstep import Outcome, Segments, Steps, at_start
from pkpd.engine.method import Column, Columns, Field, Method, weigh
from pkpd.engine.rows import Rows, dense_value
from pkpd.errors import InputError

Stacked = tuple[Float[Array, "step batch"], ...]
"""Columns of many steps."""

BLOCK = 16
"""Steps between two questions whether there are more; steps are padded to a multiple of it."""


ROOM = 1024
"""Steps there is room for at first; four times as many each time that was not enough."""


def noted_steps(integrate: Callable[[int], Outcome | None]) -> Steps:
    """The steps of `integrate(room)`, with as much room as they need, padded to one of few numbers.

    Raises `InputError` naming the first subject whose integration failed.
    """
    room = ROOM
    while True:
        outcome = integrate(room)
        if outcome is None:
            raise InputError("nothing is integrated, so there are no steps")
        failed = np.flatnonzero(np.isfinite(np.asarray(outcome.failed_at)))
        if failed.size:
            at = float(outcome.failed_at[failed[0]])
            raise InputError(f"subject {failed[0]}: integration gave up at {at:.6g} h: there are no steps to repeat")
        count = int(np.max(outcome.accepted))
        if count <= room:
            break
        room *= 4
    size = 2 * BLOCK
    while size < count:
        size = (size * 3 // 2 + BLOCK - 1) // BLOCK * BLOCK

    def cut(noted: Array) -> Array:
        return jnp.asarray(np.resize(np.concatenate([np.asarray(noted)[:count], np.zeros(size)]), size), noted.dtype)

    return Steps(*(cut(noted) for noted in outcome.steps))


def replayed(
    field: Callable[[dict[str, Column]], Field],
    initial: Columns,
    drive: DyadicDrive | None,
    read: Callable[[Columns, dict[str, Column]], dict[str, Column]],
    segments: Segments,
    fed: tuple[int, ...],
    rows: Rows,
    method: Method,
    steps: Steps,
) -> Float[Array, "time state batch"]:
    """The integrated states at `rows`, by `steps`; those of length 0 are padding. See `lockstep.integrate`."""
    count = steps.segment.shape[0]
    kind = segments.kind[steps.segment]
    looks = moves = jnp.zeros((count, 0))
    if drive is not None:
        level = jnp.round(LEVELS + jnp.log2(jnp.where(steps.size > 0, steps.size, 1.0))).astype(int)
        looks, moves = drive.looks[level, kind], drive.steps[level, kind]
    begins = (steps.left <= 0.0) & (steps.size > 0)
    parts = (
        *(steps.size, begins, segments.durations[kind], looks, moves),
        *(segments.linear[steps.segment], segments.clears[steps.segment], segments.jump[steps.segment]),
        *(segments.rate[steps.segment], {name: value[steps.segment] for name, value in segments.parameters.items()}),
    )

    def step(carry: tuple[Columns, Columns], part: tuple) -> tuple[tuple[Columns, Columns], list[Columns]]:
        y, x = carry
        size, begin, duration, looks, moves, linear, clears, jump, rate, p = part
        feeding = {v: rate[i] for i, v in enumerate(fed)}
        own = field(p)

        def slope_at(y: Columns, u: dict[str, Column]) -> Columns:
            return tuple(k + feeding[v] if v in feeding else k for v, k in enumerate(own(y, u)))

        entered = at_start(y, initial, clears, jump)
        y = tuple(jnp.where(begin, new, old) for new, old in zip(entered, y, strict=True))
        x = tuple(jnp.where(begin, linear[i], old) for i, old in enumerate(x))
        h = duration * size
        u: list[dict[str, Column]] = [{} for _ in method.fractions]
        after = x
        if drive is not None:
            u = drives(drive, looks, x)
            after = advance(drive, moves, x)
        slope = method.begin(lambda y: slope_at(y, read(x, p)), y)
        stages, _ = method.increments(slope_at, y, slope, h, u, size >= 0)
        end = tuple(y0 + weigh(method.b, [k[v] for k in stages]) for v, y0 in enumerate(y))
        return (end, after), [y, *stages]

    def block(carry: tuple[Columns, Columns], some: tuple) -> tuple[tuple[Columns, Columns], list[Stacked]]:
        def walked() -> tuple[tuple[Columns, Columns], list[Stacked]]:
            return lax.scan(jax.checkpoint(step), carry, some)  # type: ignore[arg-type]

        def still() -> tuple[tuple[Columns, Columns], list[Stacked]]:
            nothing = tuple(jnp.zeros((BLOCK, *v.shape)) for v in initial)
            return carry, [nothing] * (1 + len(method.b))

        return lax.cond(jnp.any(some[0] > 0), walked, still)

    blocks = jax.tree.map(lambda part: part.reshape(count // BLOCK, BLOCK, *part.shape[1:]), parts)
    start = (initial, tuple(jnp.zeros_like(initial[0]) for _ in range(segments.linear.shape[1])))
    _, inside = lax.scan(block, start, blocks)
    inside = jax.tree.map(lambda part: part.reshape(count, *part.shape[2:]), inside)
    return _at_rows(method, segments, steps, rows, inside)


def _at_rows(
    method: Method, segments: Segments, steps: Steps, rows: Rows, inside: list[Stacked]
) -> Float[Array, "time state batch"]:
    """Each row from the step it falls into, the first of its segment being the earliest it can.

    inside: the states at the start of each step, and its increments.
    """
    length = jnp.take_along_axis(segments.durations[segments.kind], rows.segment, axis=0)
    part = jnp.where(length > 0, rows.since / jnp.where(length > 0, length, 1.0), 0.0)
    used = steps.size > 0
    starts = jnp.where(used, steps.segment.astype(float) + steps.left, jnp.inf)
    segment = rows.segment.astype(float)
    first = jnp.searchsorted(starts, segment)
    later = jnp.searchsorted(starts, segment + lax.stop_gradient(jnp.minimum(part, 1.0))) - 1
    step = jnp.maximum(later, first)
    s = (part - steps.left[step]) / jnp.where(used, steps.size, 1.0)[step]
    y, *stages = [tuple(jnp.take_along_axis(v, step, axis=0) for v in columns) for columns in inside]
    return jnp.stack(dense_value(method.dense, s, y, stages), axis=1)
