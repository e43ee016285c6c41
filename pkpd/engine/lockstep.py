"""The one loop that integrates: a batch of subjects, segment by segment, all in the same steps.

All subjects of a batch step together, the step set by the one with the largest error (root mean square over its
states). Each segment between events is walked from 0 to 1, so segments of different length share a loop and every
segment ends exactly at its boundary. With a drive tabulated for steps 2^-m the walk keeps to those; without one it
takes any step.
"""

from functools import partial
from typing import NamedTuple, TypeVar

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from pkpd.engine.dyadic import DyadicDrive, advance, at_level, drives
from pkpd.engine.method import Column, Columns, once, weigh
from pkpd.engine.rows import Profile, Rows, Stretch, written
from pkpd.engine.step import Dynamics
from pkpd.engine.step_size import DYADIC, FIRST_STEP, FREE, first_size, growth, next_dyadic, next_free, scaled_error
from pkpd.engine.tolerances import Tolerances


class Segments(NamedTuple):
    """What the loop walks through. Segment s lasts `durations[kind[s]]` [h].

    linear: the linear states right after its start. At its start the integrated states return to their initial values
    where `clears`, then `jump` is added; while it lasts, states `fed` receive `rate`. States beyond the rows of `jump`
    are running integrals, to which nothing happens there. parameters: those that change.
    """

    durations: Float[Array, "kind batch"]
    kind: Int[Array, " segment"]
    start: Float[Array, "segment batch"]
    linear: Float[Array, "segment linear batch"]
    clears: Bool[Array, "segment batch"]
    jump: Float[Array, "segment entered batch"]
    rate: Float[Array, "segment fed batch"]
    parameters: dict[str, Float[Array, "segment batch"]]


class Numbers(NamedTuple):
    """What an integration depends on, and may be differentiated by, besides its rows.

    constant: the parameters that do not change. scale: the size of each state that `atol` is a part of.
    """

    initial: Columns
    constant: dict[str, Column]
    drive: DyadicDrive | None
    segments: Segments
    scale: Columns


class Steps(NamedTuple):
    """The accepted steps, in order: segment, and where in it they begin and how long they are, as parts of it."""

    segment: Int[Array, " step"]
    left: Float[Array, " step"]
    size: Float[Array, " step"]


class Marks(NamedTuple):
    """What was met on the way, step by step: the states (y, x) at its start, and the rows looked at, from and up to."""

    states: Float[Array, "step state batch"]
    first_row: Int[Array, " step"]
    beyond_row: Int[Array, " step"]


_Notes = TypeVar("_Notes", Steps, Marks)


class Outcome(NamedTuple):
    """Values at the rows, and how the integration went.

    failed_at [h]: the time at which a subject's integration gave up, infinite if it did not; what values hold of it is
    not to be used. steps: the accepted steps, as far as there was room to note them, and then what is of no use.
    marks: if asked for.
    """

    values: Float[Array, "time state batch"]
    failed_at: Column
    accepted: Int[Array, ""]
    rejected: Int[Array, ""]
    steps: Steps
    marks: Marks | None = None


class _Walk(NamedTuple):
    place: Int[Array, ""]
    size: Int[Array, ""]
    x: Columns
    y: Columns
    slope: Columns
    rows: Float[Array, "time state batch"]
    next_row: Int[Array, ""]
    failed_at: Column
    accepted: Int[Array, ""]
    rejected: Int[Array, ""]
    first_step: Float[Array, ""]
    steps: Steps
    marks: Marks | None


def integrate(
    dynamics: Dynamics,
    numbers: Numbers,
    rows: Rows | Profile,
    tolerances: Tolerances,
    room: int = 0,
    marked: bool = False,
    sheet: Float[Array, "time state batch"] | None = None,
) -> Outcome:
    """Integrate through all segments.

    room: how many accepted steps are noted; if any, every segment has one. marked: whether their marks are kept, too.
    sheet: what values are written on, if it is there; every row of who does not fail is.
    """
    initial, constant, drive, segments, scale = numbers
    batch = initial[0].shape[0]
    method = dynamics.method
    whole = DYADIC if drive is not None else FREE
    kept = sheet
    if kept is None:
        kept = jnp.broadcast_to(jnp.stack(initial)[None], (rows.height, len(initial), batch))
    looked_at = rows.looked_at(segments.kind.shape[0])

    def segment(
        walk: _Walk, part: tuple[Array, Array, Array, Array, Array, Array, Array, dict[str, Column], Array]
    ) -> tuple[_Walk, None]:
        number, which, begin, linear, clears, jump, rate, p, rows_here = part
        duration = lax.dynamic_index_in_dim(segments.durations, which, keepdims=False)
        longest = jnp.max(duration)
        p = constant | p
        slope_at = dynamics.slopes(p, rate)
        x = tuple(linear[i] for i in range(linear.shape[0]))
        y = at_start(walk.y, initial, clears, jump)
        wanted = walk.first_step / jnp.maximum(longest, 1e-300)
        walk = walk._replace(
            place=jnp.where((longest > 0) | rows_here | (room > 0), 0, whole),
            size=first_size(wanted, drive is not None),
            x=x,
            y=y,
            slope=method.begin(lambda y: slope_at(y, dynamics.read(x, p)), y),
        )

        def unfinished(walk: _Walk) -> Bool[Array, ""]:
            return (walk.place < whole) & (walk.accepted + walk.rejected < tolerances.max_steps)

        def step(walk: _Walk) -> _Walk:
            share = walk.size.astype(float) / whole
            left = walk.place.astype(float) / whole
            h = duration * share
            u: list[dict[str, Column]] = [{} for _ in method.fractions]
            x = walk.x
            if drive is not None:
                level = lax.population_count(walk.size - 1)
                entries = at_level(drive, level, which)
                u = drives(drive, entries, walk.x)
                x = advance(drive, entries, walk.x)
            stages, slope = method.increments(slope_at, walk.y, walk.slope, h, u, partial(once, walk.size > 0))
            y = tuple(y0 + weigh(method.b, [k[v] for k in stages]) for v, y0 in enumerate(walk.y))
            error = scaled_error(method, tolerances, scale, walk.y, y, stages)
            error = jnp.where(walk.failed_at == jnp.inf, error, 0.0)
            worst = jnp.max(error)
            worst = jnp.where(jnp.isfinite(worst), worst, jnp.inf)
            accept = (worst <= 1.0) | (walk.size == 1)

            def give_up() -> tuple[Columns, Column]:
                # No step is small enough for some subject: it stops here, the others go on.
                fails = ~(error <= 1.0)
                stopped = tuple(jnp.where(fails, old, new) for new, old in zip(y, walk.y, strict=True))
                return stopped, jnp.where(fails, begin + duration * left, walk.failed_at)

            y, failed_at = lax.cond(accept & (worst > 1.0), give_up, lambda: (y, walk.failed_at))
            right = (walk.place + walk.size).astype(float) / whole
            stretch = Stretch(number, begin, duration, left, right)
            next_row, beyond_row, filled = written(
                method.dense, rows, stretch, walk.y, stages, walk.next_row, walk.rows, accept
            )

            def kept_or(new: Columns, old: Columns) -> Columns:
                return tuple(jnp.where(accept, a, b) for a, b in zip(new, old, strict=True))

            place = jnp.where(accept, walk.place + walk.size, walk.place)
            change = growth(method, worst)
            return _Walk(
                place=place,
                size=next_dyadic(change, accept, walk.size, place)
                if drive is not None
                else next_free(change, accept, walk.size, place),
                x=kept_or(x, walk.x),
                y=kept_or(y, walk.y),
                slope=kept_or(slope, walk.slope),
                rows=filled,
                next_row=next_row,
                failed_at=failed_at,
                accepted=walk.accepted + accept.astype(int),
                rejected=walk.rejected + (~accept).astype(int),
                first_step=jnp.where(accept & (walk.place == 0) & (longest > 0), longest * share, walk.first_step),
                steps=_noted(walk.steps, walk.accepted, Steps(number, left, share)),
                marks=None
                if walk.marks is None
                else _noted(walk.marks, walk.accepted, Marks(jnp.stack([*walk.y, *walk.x]), walk.next_row, beyond_row)),
            )

        walk = lax.while_loop(unfinished, step, walk)
        stuck = (walk.place < whole) & (walk.failed_at == jnp.inf)
        now = begin + duration * (walk.place.astype(float) / whole)
        return walk._replace(failed_at=jnp.where(stuck, now, walk.failed_at)), None

    zero = jnp.asarray(0)
    walk = _Walk(
        place=zero,
        size=zero,
        x=tuple(jnp.zeros_like(initial[0]) for _ in range(segments.linear.shape[1])),
        y=initial,
        slope=method.begin(lambda y: y, initial),
        rows=kept,
        next_row=zero,
        failed_at=jnp.full_like(initial[0], jnp.inf),
        accepted=zero,
        rejected=zero,
        first_step=jnp.asarray(FIRST_STEP),
        steps=Steps(jnp.zeros(room, dtype=int), jnp.zeros(room), jnp.zeros(room)),
        marks=Marks(
            jnp.zeros((room, len(initial) + segments.linear.shape[1], batch)),
            *(jnp.zeros(room, dtype=int), jnp.zeros(room, dtype=int)),
        )
        if marked
        else None,
    )
    numbered = jnp.arange(segments.kind.shape[0])
    parts = (
        *(numbered, segments.kind, segments.start, segments.linear, segments.clears, segments.jump, segments.rate),
        *(segments.parameters, looked_at),
    )
    walk = lax.scan(segment, walk, parts)[0]
    return Outcome(walk.rows, walk.failed_at, walk.accepted, walk.rejected, walk.steps, walk.marks)


def at_start(
    y: Columns, initial: Columns, clears: Bool[Array, " batch"], jump: Float[Array, "entered batch"]
) -> Columns:
    """The states after what happens at the start of a segment; integrals of outputs run on through a reset."""
    return tuple(jnp.where(clears, initial[v], now) + jump[v] if v < jump.shape[0] else now for v, now in enumerate(y))


def _noted(notes: _Notes, place: Int[Array, ""], step: _Notes) -> _Notes:
    """The notes with those of a step at `place`; where that is rejected, the next one is written over it."""
    if not notes[0].shape[0]:
        return notes
    return type(notes)(
        *(lax.dynamic_update_index_in_dim(kept, value, place, 0) for kept, value in zip(notes, step, strict=True))
    )
