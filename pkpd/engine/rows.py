"""Output rows: where they lie among the segments, and how the steps that pass over them fill them in.

A row lies -1, 0 or 1 from a segment: in an earlier one, in it, or in a later one; and so long after its start [h].
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from pkpd.engine.method import Column, Columns, once, weigh

_Columns = tuple[Float[Array, "*batch"], ...]


class Rows(NamedTuple):
    """The segment each row belongs to and how long after its start it is [h]; ascending for each subject.

    A row on a boundary is before or after what happens there, as its segment says.
    """

    segment: Int[Array, "time batch"]
    since: Float[Array, "time batch"]

    @property
    def height(self) -> int:
        return self.segment.shape[0]

    def looked_at(self, segments: int) -> Bool[Array, " segment"]:
        """Which segments hold rows, for these are walked even if they have no length."""
        return jnp.zeros(segments, dtype=bool).at[self.segment].set(True)

    def under(self, stretch: "Stretch") -> "Window":
        """These rows as a step over a stretch sees them."""
        part_of = stretch.duration * stretch.left, stretch.duration * stretch.right

        def met(k: Array) -> Met:
            away = jnp.sign(lax.dynamic_index_in_dim(self.segment, k, keepdims=False) - stretch.number)
            since = lax.dynamic_index_in_dim(self.since, k, keepdims=False)
            here = away == 0
            arrived = (away < 0) | (here & ((stretch.right >= 1.0) | (since <= part_of[1])))
            mine = arrived & here & ((stretch.left <= 0.0) | (since > part_of[0]))
            return Met(jnp.any(arrived), jnp.all(arrived), mine, since)

        return met


class Profile(NamedTuple):
    """Times [h] common to all subjects; on a boundary a row is before what happens there.

    start `[segment, batch]`: the starts of the segments.
    """

    times: Float[Array, " time"]
    start: Float[Array, "segment batch"]

    @property
    def height(self) -> int:
        return self.times.shape[0]

    def looked_at(self, segments: int) -> Bool[Array, " segment"]:
        """None has to be walked for the sake of a row: one without length holds no row but the first, the start."""
        return jnp.zeros(segments, dtype=bool)

    def under(self, stretch: "Stretch") -> "Window":
        """As for `Rows`; times are common, so that two numbers say who has come to a row."""
        last = self.start.shape[0] - 1
        stop = lax.dynamic_index_in_dim(self.start, jnp.minimum(stretch.number + 1, last), keepdims=False)
        stop = jnp.where(stretch.number < last, stop, jnp.inf)
        until = jnp.where(stretch.right >= 1.0, stop, stretch.begin + stretch.duration * stretch.right)
        after = stretch.begin + stretch.duration * stretch.left
        after = jnp.where((stretch.number == 0) & (stretch.left <= 0.0), -jnp.inf, after)
        first, every = jnp.max(until), jnp.min(until)

        def met(k: Array) -> Met:
            time = lax.dynamic_index_in_dim(self.times, k, keepdims=False)
            return Met(time <= first, time <= every, (time > after) & (time <= until), time - stretch.begin)

        return met

    def rows(self) -> Rows:
        """The same rows, each with its segment."""
        before = jnp.sum(self.start[None] < self.times[:, None, None], axis=1)
        segment = jnp.maximum(before - 1, 0)
        since = self.times[:, None] - jnp.take_along_axis(self.start, segment, axis=0)
        return Rows(segment, jnp.where(since < 0, 0.0, since))  # not `maximum`, as in `events.course.locate`


class Met(NamedTuple):
    """A row as a step meets it: whether some subject has come to it by the end of the step, whether all have, for whom
    it lies in the step, and how long after the start of the segment [h]."""

    some: Bool[Array, ""]
    all: Bool[Array, ""]
    mine: Bool[Array, " batch"]
    since: Float[Array, " batch"]


Window = Callable[[Int[Array, ""]], Met]
"""Row k -> how it is met."""


class Stretch(NamedTuple):
    """What a step passes over: segment `number`, which starts at `begin` and lasts `duration` [h], from its part `left`
    to its part `right`."""

    number: Int[Array, ""]
    begin: Float[Array, " batch"]
    duration: Float[Array, " batch"]
    left: Float[Array, ""]
    right: Float[Array, ""]

    def part(self) -> Callable[[Column], Column]:
        """From the time since the start of the segment [h] to where in the step that is, 0 to 1."""
        begins, ends = self.duration * self.left, self.duration * self.right
        h = ends - begins
        share = jnp.where(h > 0, 1.0 / jnp.where(h > 0, h, 1.0), 0.0)
        return lambda since: (since - begins) * share


def written(
    dense: Float[np.ndarray, "stages degree"],
    rows: Rows | Profile,
    stretch: Stretch,
    y: Columns,
    stages: list[Columns],
    next_row: Int[Array, ""],
    values: Float[Array, "time state batch"],
    accept: Bool[Array, ""],
) -> tuple[Int[Array, ""], Int[Array, ""], Float[Array, "time state batch"]]:
    """Fill the rows that fall into the stretch of a step, by the method's interpolant.

    Returns the row to begin with next time, the one after the last that was visited, and the values. Rows are visited
    from the first that some subject may still lack to the last that some subject has reached.
    """

    meet, part = rows.under(stretch), stretch.part()

    def some_left(carry: tuple[Array, Array, Array]) -> Array:
        k = carry[0]
        return accept & (k < rows.height) & meet(jnp.minimum(k, rows.height - 1)).some

    def write(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        k, next_row, values = carry
        met = meet(k)
        # At the end of a step the part is 1 but for rounding; held to 1 it would lose its derivative.
        inside = polynomial(y, coefficients, part(met.since))
        before = lax.dynamic_index_in_dim(values, k, keepdims=False)
        now = jnp.where(met.mine[None, :], jnp.stack(inside), before)
        values = lax.dynamic_update_index_in_dim(values, now, k, 0)
        return k + 1, next_row + met.all.astype(int), values

    coefficients = once(some_left((next_row, next_row, values)), lambda: powers(dense, stages))
    beyond, next_row, values = lax.while_loop(some_left, write, (next_row, next_row, values))
    return next_row, beyond, values


def powers(dense: Float[np.ndarray, "stages degree"], stages: list[Columns]) -> list[Columns]:
    """Of s, s^2 .. in the interpolant of a step, the coefficients for each state."""
    return [tuple(weigh(weights, list(column)) for column in zip(*stages, strict=True)) for weights in dense.T]


def polynomial(y: _Columns, powers: list[_Columns], s: Float[Array, "*batch"]) -> _Columns:
    """The states at the part s of a step that begins with `y`."""
    found = powers[-1]
    for lower in (*powers[-2::-1], y):
        found = tuple(s * above + below for above, below in zip(found, lower, strict=True))
    return found


def dense_value(
    dense: Float[np.ndarray, "stages degree"], s: Float[Array, "*batch"], y: Columns, stages: list[Columns]
) -> Columns:
    """y + sum of K_i dense_i(s), at the part s of a step."""
    return polynomial(y, powers(dense, stages), s)
