"""An integration that can be differentiated in reverse: the way there notes its steps, the way back follows them.

What is differentiated is the numerical solution, with its steps held. The way back is a loop of its own: from the last
step to the first, each is done again from the states it began with, and differentiated by itself. So it costs a few
times the way there, and remembers no more than the states at each step.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from pkpd.engine.dyadic import Entries, added, apart, at_level, level_of, together
from pkpd.engine.lockstep import Marks, Numbers, Outcome, Steps, at_start, integrate
from pkpd.engine.method import Column, Columns, once_each_way
from pkpd.engine.rows import Rows, Stretch, polynomial, powers
from pkpd.engine.step import Dynamics, one_step
from pkpd.engine.tolerances import Tolerances


def reversible(dynamics: Dynamics, tolerances: Tolerances, room: int) -> Callable[[Numbers, Rows], Outcome]:
    """`integrate` with reverse derivatives of its values, sound as long as there are not more than `room` steps.

    A subject whose integration failed has the derivative 0.
    """

    @jax.custom_vjp
    def walk(numbers: Numbers, rows: Rows) -> Outcome:
        return integrate(dynamics, numbers, rows, tolerances, room)

    def there(numbers: Numbers, rows: Rows) -> tuple[Outcome, tuple]:
        outcome = integrate(dynamics, numbers, rows, tolerances, room, marked=True)
        return outcome._replace(marks=None), (numbers, rows, outcome)

    def back(kept: tuple[Numbers, Rows, Outcome], slope: Outcome) -> tuple[Any, Any]:
        numbers, rows, outcome = kept
        marks, count = outcome.marks, jnp.minimum(outcome.accepted, room)
        if marks is None:
            raise ValueError("an integration without marks has no way back")
        values = jnp.where(outcome.failed_at == jnp.inf, slope.values, 0.0)
        return _pulled_back(dynamics, numbers, rows, outcome.steps, marks, count, values)

    walk.defvjp(there, back)
    return walk


class _Back(NamedTuple):
    """On the way back, at step n: the derivatives by the states there, and by what the later steps depended on."""

    n: Int[Array, ""]
    y: Columns
    x: Columns
    held: Any
    drive: Any
    since: Float[Array, "time batch"]


def _pulled_back(
    dynamics: Dynamics,
    numbers: Numbers,
    rows: Rows,
    steps: Steps,
    marks: Marks,
    count: Int[Array, ""],
    slope: Float[Array, "time state batch"],
) -> tuple[Any, Any]:
    """The derivatives of the sum of values times `slope` by all numbers and rows, None where there is none."""
    initial, constant, drive, segments, _ = numbers
    linear = segments.linear.shape[1]

    def segment(carry: tuple[_Back, Columns], part: tuple) -> tuple[tuple[_Back, Columns], tuple]:
        walk, initial_bar = carry
        number, which, begin, clears, jump, rate, p = part
        duration = lax.dynamic_index_in_dim(segments.durations, which, keepdims=False)

        def unfinished(walk: _Back) -> Bool[Array, ""]:
            return (walk.n >= 0) & (steps.segment[jnp.maximum(walk.n, 0)] == number)

        def step(walk: _Back) -> _Back:
            share, left = steps.size[walk.n], steps.left[walk.n]
            state = lax.dynamic_index_in_dim(marks.states, walk.n, keepdims=False)
            y, x = tuple(state[: len(initial)]), tuple(state[len(initial) :])
            level = level_of(share)
            entries = at_level(drive, level, which) if drive is not None else None
            once = partial(once_each_way, share >= 0)
            has_rows = marks.first_row[walk.n] < marks.beyond_row[walk.n]

            def again(y: Columns, x: Columns, held: Any, entries: Entries | None) -> tuple:
                constant, p, rate, duration = held
                end, after, stages = one_step(
                    dynamics, drive, y, x, constant | p, rate, duration * share, entries, once
                )
                return end, after, once_each_way(has_rows, lambda: powers(dynamics.method.dense, stages))

            held = (constant, p, rate, duration)
            (_, _, inside), pull = jax.vjp(again, y, x, held, entries)
            stretch = Stretch(number, begin, duration, left, left + share)
            y_bar, inside_bar, duration_bar, since = _rows_pulled_back(
                rows, marks, walk.n, stretch, y, inside, slope, walk.since
            )
            y_more, x_bar, held_bar, entries_bar = pull((walk.y, walk.x, inside_bar))
            held_bar = (*held_bar[:3], held_bar[3] + duration_bar)
            return _Back(
                n=walk.n - 1,
                y=jax.tree.map(jnp.add, y_bar, y_more),
                x=x_bar,
                held=jax.tree.map(jnp.add, walk.held, held_bar),
                drive=None if drive is None else added(walk.drive, level, which, entries_bar),
                since=since,
            )

        nothing = jax.tree.map(jnp.zeros_like, (p, rate, duration))
        walk = walk._replace(x=(jnp.zeros_like(duration),) * linear, held=(walk.held[0], *nothing))
        walk = lax.while_loop(unfinished, step, walk)
        # What happens at the start is linear in all it concerns: any states will do to differentiate it at.
        _, pull = jax.vjp(lambda y, initial, jump: at_start(y, initial, clears, jump), initial, initial, jump)
        y_bar, more, jump_bar = pull(walk.y)
        x_bar = jnp.stack(walk.x) if linear else segments.linear[0]
        found = (*walk.held[1:], x_bar, jump_bar)
        return (walk._replace(y=y_bar), jax.tree.map(jnp.add, initial_bar, more)), found

    numbered = jnp.arange(segments.kind.shape[0])
    parts = (numbered, *(segments.kind, segments.start, segments.clears, segments.jump, segments.rate))
    changing = (segments.parameters, segments.rate)
    none = jax.tree.map(jnp.zeros_like, (initial, constant, segments.durations[0]))
    start = _Back(
        n=count - 1,
        y=none[0],
        x=(none[2],) * linear,
        held=(none[1], *jax.tree.map(lambda field: jnp.zeros_like(field[0]), changing), none[2]),
        drive=None if drive is None else jax.tree.map(jnp.zeros_like, apart(drive)),
        since=jnp.zeros_like(rows.since),
    )
    (walk, initial_bar), (p_bar, rate_bar, duration_bar, linear_bar, jump_bar) = lax.scan(
        segment, (start, none[0]), (*parts, segments.parameters), reverse=True
    )
    nothing: Any = None
    by_segment = segments._replace(
        durations=jnp.zeros_like(segments.durations).at[segments.kind].add(duration_bar),
        kind=nothing,
        start=nothing,
        linear=linear_bar,
        clears=nothing,
        jump=jump_bar,
        rate=rate_bar,
        parameters=p_bar,
    )
    by_tables = None if drive is None else together(drive, walk.drive)
    initial_bar = jax.tree.map(jnp.add, initial_bar, walk.y)
    return Numbers(initial_bar, walk.held[0], by_tables, by_segment, nothing), Rows(nothing, walk.since)


def _rows_pulled_back(
    rows: Rows,
    marks: Marks,
    n: Int[Array, ""],
    stretch: Stretch,
    y: Columns,
    inside: list[Columns],
    slope: Float[Array, "time state batch"],
    since_bar: Float[Array, "time batch"],
) -> tuple[Columns, list[Columns], Column, Float[Array, "time batch"]]:
    """The rows of step n: derivatives by the states at its start, the powers of its interpolant, and the duration of
    the segment, and those by the times of the rows filled in."""

    meet = rows.under(stretch)

    def row(k: Int[Array, ""], found: tuple) -> tuple:
        so_far, since_bar = found
        met = meet(k)

        def value(y: Columns, inside: list[Columns], duration: Column, since: Column) -> Columns:
            return polynomial(y, inside, stretch._replace(duration=duration).part()(since))

        _, pull = jax.vjp(value, y, inside, stretch.duration, met.since)
        here = jnp.where(met.mine[None], lax.dynamic_index_in_dim(slope, k, keepdims=False), 0.0)
        *more, at = pull(tuple(here))
        at = at + lax.dynamic_index_in_dim(since_bar, k, keepdims=False)
        return jax.tree.map(jnp.add, so_far, tuple(more)), lax.dynamic_update_index_in_dim(since_bar, at, k, 0)

    nothing = jax.tree.map(jnp.zeros_like, (y, inside, stretch.duration))
    (y_bar, inside_bar, duration_bar), since_bar = lax.fori_loop(
        marks.first_row[n], marks.beyond_row[n], row, (nothing, since_bar)
    )
    return y_bar, inside_bar, duration_bar, since_bar
