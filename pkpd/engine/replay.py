"""The steps of an integration walked again, as a program that can be differentiated in any mode and order.

An adaptive loop decides how many steps it takes; reverse differentiation needs to know. So the steps are found once,
without derivatives, and then repeated as they are. What is differentiated is the numerical solution itself, with its
steps held: its derivative is as accurate as its value.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from pkpd.engine.dyadic import level_of, split
from pkpd.engine.lockstep import Numbers, Outcome, Segments, Steps, at_start
from pkpd.engine.method import Columns, once
from pkpd.engine.rows import Rows, polynomial, powers
from pkpd.engine.step import Dynamics, one_step
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
        refuse_failed(np.asarray(outcome.failed_at))
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


def refuse_failed(failed_at: Float[np.ndarray, " subject"]) -> None:
    """Raise `InputError` naming the first subject whose integration failed."""
    failed = np.flatnonzero(np.isfinite(failed_at))
    if failed.size:
        at = float(failed_at[failed[0]])
        raise InputError(f"subject {failed[0]}: integration gave up at {at:.6g} h: there are no steps to repeat")


def replayed(dynamics: Dynamics, numbers: Numbers, rows: Rows, steps: Steps) -> Float[Array, "time state batch"]:
    """The integrated states at the rows, by `steps`, of which those of length 0 are padding."""
    initial, constant, drive, segments, _ = numbers
    count = steps.segment.shape[0]
    kind = segments.kind[steps.segment]
    looks = moves = jnp.zeros((count, 0))
    if drive is not None:
        level = level_of(jnp.where(steps.size > 0, steps.size, 1.0))
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
        entered = at_start(y, initial, clears, jump)
        y = tuple(jnp.where(begin, new, old) for new, old in zip(entered, y, strict=True))
        x = tuple(jnp.where(begin, linear[i], old) for i, old in enumerate(x))
        entries = None if drive is None else split(looks, moves)
        end, after, stages = one_step(
            dynamics, drive, y, x, constant | p, rate, duration * size, entries, partial(once, size >= 0)
        )
        return (end, after), [y, *powers(dynamics.method.dense, stages)]

    def block(carry: tuple[Columns, Columns], some: tuple) -> tuple[tuple[Columns, Columns], list[Stacked]]:
        def walked() -> tuple[tuple[Columns, Columns], list[Stacked]]:
            return lax.scan(jax.checkpoint(step), carry, some)  # type: ignore[arg-type]

        def still() -> tuple[tuple[Columns, Columns], list[Stacked]]:
            nothing = tuple(jnp.zeros((BLOCK, *v.shape)) for v in initial)
            return carry, [nothing] * (1 + dynamics.method.dense.shape[1])

        return lax.cond(jnp.any(some[0] > 0), walked, still)

    blocks = jax.tree.map(lambda part: part.reshape(count // BLOCK, BLOCK, *part.shape[1:]), parts)
    start = (initial, tuple(jnp.zeros_like(initial[0]) for _ in range(segments.linear.shape[1])))
    _, inside = lax.scan(block, start, blocks)
    inside = jax.tree.map(lambda part: part.reshape(count, *part.shape[2:]), inside)
    return _at_rows(segments, steps, rows, inside)


def _at_rows(segments: Segments, steps: Steps, rows: Rows, inside: list[Stacked]) -> Float[Array, "time state batch"]:
    """Each row from the step it falls into, the first of its segment being the earliest it can.

    inside: the states at the start of each step, and the powers of its interpolant.
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
    y, *further = [tuple(jnp.take_along_axis(v, step, axis=0) for v in columns) for columns in inside]
    return jnp.stack(polynomial(y, further, s), axis=1)
