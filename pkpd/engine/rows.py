"""Output rows: where they lie among the segments, and how the steps that pass over them fill them in.

A row lies -1, 0 or 1 from a segment: in an earlier one, in it, or in a later one; and so long after its start [h].
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

Columns = tuple[Float[Array, " batch"], ...]


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

    def place(self, k: Array, number: Array, begin: Array) -> tuple[Array, Array]:
        """(-1, 0 or 1; time since `begin`) of row k for each subject, seen from segment `number`."""
        segment = lax.dynamic_index_in_dim(self.segment, k, keepdims=False)
        return jnp.sign(segment - number), lax.dynamic_index_in_dim(self.since, k, keepdims=False)


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

    def place(self, k: Array, number: Array, begin: Array) -> tuple[Array, Array]:
        """As for `Rows`."""
        time = lax.dynamic_index_in_dim(self.times, k, keepdims=False)
        last = self.start.shape[0] - 1
        stop = lax.dynamic_index_in_dim(self.start, jnp.minimum(number + 1, last), keepdims=False)
        later = (time > stop) & (number < last)
        earlier = (time <= begin) & (number > 0)
        return jnp.where(later, 1, jnp.where(earlier, -1, 0)), time - begin

    def rows(self) -> Rows:
        """The same rows, each with its segment."""
        before = jnp.sum(self.start[None] < self.times[:, None, None], axis=1)
        segment = jnp.maximum(before - 1, 0)
        since = self.times[:, None] - jnp.take_along_axis(self.start, segment, axis=0)
        return Rows(segment, jnp.maximum(since, 0.0))


def written(
    dense: Float[np.ndarray, "stages degree"],
    rows: Rows | Profile,
    number: Int[Array, ""],
    begin: Float[Array, " batch"],
    duration: Float[Array, " batch"],
    left: Float[Array, ""],
    right: Float[Array, ""],
    y: Columns,
    stages: list[Columns],
    next_row: Int[Array, ""],
    values: Float[Array, "time state batch"],
    accept: Bool[Array, ""],
) -> tuple[Int[Array, ""], Float[Array, "time state batch"]]:
    """Fill the rows of segment `number` that fall into its part from `left` to `right`, by the method's interpolant.

    Rows are visited from the first that some subject may still lack to the last that some subject has reached.
    """
    begins, ends = duration * left, duration * right
    first, last = left <= 0.0, right >= 1.0
    h = ends - begins

    def place(k: Int[Array, ""]) -> tuple[Array, Array]:
        return rows.place(jnp.minimum(k, rows.height - 1), number, begin)

    def reached(away: Array, since: Array) -> Array:
        return (away < 0) | ((away == 0) & (last | (since <= ends)))

    def some_left(carry: tuple[Array, Array, Array]) -> Array:
        return accept & (carry[0] < rows.height) & jnp.any(reached(*place(carry[0])))

    def write(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        k, next_row, values = carry
        away, since = place(k)
        arrived = reached(away, since)
        mine = arrived & (away == 0) & (first | (since > begins))
        s = jnp.where(h > 0, (since - begins) / jnp.where(h > 0, h, 1.0), 0.0)
        inside = dense_value(dense, jnp.minimum(s, 1.0), y, stages)
        before = lax.dynamic_index_in_dim(values, k, keepdims=False)
        now = jnp.where(mine[None, :], jnp.stack(inside), before)
        values = lax.dynamic_update_index_in_dim(values, now, k, 0)
        return k + 1, next_row + jnp.all(arrived).astype(int), values

    _, next_row, values = lax.while_loop(some_left, write, (next_row, next_row, values))
    return next_row, values


def dense_value(
    dense: Float[np.ndarray, "stages degree"], s: Float[Array, "*batch"], y: Any, stages: list[Any]
) -> list[Float[Array, "*batch"]]:
    """y + sum of K_i dense_i(s), at the part s of a step."""
    weights = [sum(float(w) * s ** (d + 1) for d, w in enumerate(stage) if w != 0.0) for stage in dense]
    used = [(w, k) for w, k in zip(weights, stages, strict=True) if not isinstance(w, int)]
    values = []
    for v, y0 in enumerate(y):
        terms = [w * k[v] for w, k in used]
        values.append(y0 + sum(terms[1:], terms[0]))
    return values
