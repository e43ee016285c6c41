"""Outputs of the linear block at any time, from the exact propagator: no solver, no step, no tolerance."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from pkpd.engine.method import once
from pkpd.engine.propagator import Sparse, apply, exponential
from pkpd.engine.rows import Rows
from pkpd.engine.system import LinearSystem

_Vector = tuple[Float[Array, "..."], ...]
_Weights = dict[str, dict[int, Float[Array, "..."]]]


def _read(weights: _Weights, readouts: Sequence[str], x: _Vector) -> Float[Array, "readout ..."]:
    values = []
    for readout in readouts:
        terms = [weight * x[i] for i, weight in weights[readout].items()]
        values.append(sum(terms[1:], terms[0]))
    return jnp.stack(values)


def enter(
    x: _Vector,
    jump: Float[Array, "compartment batch"],
    rate: Float[Array, "infused batch"],
    clears: Bool[Array, " batch"] | None = None,
) -> _Vector:
    """The states (amounts; rates of infusions; integrals) after what happens at the start of a segment."""
    kept = x if clears is None else tuple(jnp.where(clears, 0.0, amount) for amount in x)
    amounts = tuple(kept[i] + jump[i] for i in range(jump.shape[0]))
    rates = tuple(rate[i] for i in range(rate.shape[0]))
    return amounts + rates + x[len(amounts) + len(rates) :]


class Span(NamedTuple):
    """Times [h] to propagate over, and what each of their rows is in a field `[kind, batch]`."""

    times: Float[Array, "row batch"]
    of_kinds: Callable[[Float[Array, "kind batch"]], Float[Array, "row batch"]]


def over_segments(durations: Float[Array, "kind batch"]) -> Span:
    """A segment of each kind from its start to its end."""
    return Span(durations, lambda field: field)


def over_rows(rows: Rows) -> Span:
    """From the start of its segment to each row; every segment is a kind of its own."""
    return Span(rows.since, lambda field: jnp.take_along_axis(field, rows.segment, axis=0))


def propagators(system: LinearSystem, spans: Mapping[str, Span]) -> dict[str, Sparse]:
    """exp(A t) over each span. All in one, for each time that it is written out it has to be compiled."""

    def along(field: Float[Array, "*kind batch"]) -> Float[Array, "row batch"]:
        parts = [
            of_kinds(field) if field.ndim == 2 else jnp.broadcast_to(field[None], times.shape)
            for times, of_kinds in spans.values()
        ]
        return jnp.concatenate(parts)

    matrix = {key: along(entry) for key, entry in system.matrix.items()}
    whole = exponential(matrix, system.size, jnp.concatenate([span.times for span in spans.values()]))
    ends = np.cumsum([span.times.shape[0] for span in spans.values()])[:-1].tolist()
    apart = {key: jnp.split(entry, ends) for key, entry in whole.items()}
    return {name: {key: parts[i] for key, parts in apart.items()} for i, name in enumerate(spans)}


def segment_states(
    system: LinearSystem,
    steps: Sparse,
    kind: Int[Array, " segment"],
    jump: Float[Array, "segment compartment batch"],
    rate: Float[Array, "segment infused batch"],
    clears: Bool[Array, "segment batch"] | None = None,
) -> Float[Array, "segment state batch"]:
    """The linear states right after the start of each segment, from empty compartments.

    steps: the propagators `over_segments`, those of segment s at `kind[s]`. At its start the amounts are forgotten
    where `clears`.
    """
    pattern = tuple(steps)
    table = jnp.stack([steps[key] for key in pattern], axis=1)

    def segment(x: _Vector, part: tuple[Array, Array, Array, Array | None]) -> tuple[_Vector, Array]:
        which, at_start, running, cleared = part
        start = enter(x, at_start, running, cleared)
        step = lax.dynamic_index_in_dim(table, which, keepdims=False)
        return apply({key: step[e] for e, key in enumerate(pattern)}, start), jnp.stack(start)

    empty = tuple(jnp.zeros_like(jump[0, 0]) for _ in range(system.size))
    return lax.scan(segment, empty, (kind, jump, rate, clears))[1]


def exact_outputs(
    system: LinearSystem,
    readouts: Sequence[str],
    states: Float[Array, "segment state batch"],
    rows: Rows,
    moved: Sparse,
    weights: _Weights | None = None,
) -> Float[Array, "time readout batch"]:
    """Readouts at arbitrary rows.

    moved: the propagators `over_rows`. weights: what the readouts are made of at each row, if that changes.
    """

    def pick(field: Float[Array, "segment batch"]) -> Float[Array, "time batch"]:
        return jnp.take_along_axis(field, rows.segment, axis=0)

    def spread(value: Float[Array, "..."]) -> Float[Array, "time batch"]:
        return value if value.shape == rows.since.shape else jnp.broadcast_to(value[None], rows.since.shape)

    x = apply(moved, tuple(pick(states[:, i]) for i in range(system.size)))
    own = system.readouts if weights is None else weights
    own = {name: {i: spread(weight) for i, weight in own[name].items()} for name in readouts}
    return jnp.moveaxis(_read(own, readouts, x), 0, 1)


def exact_outputs_on_grid(
    system: LinearSystem,
    readouts: Sequence[str],
    start: Float[Array, "segment batch"],
    states: Float[Array, "segment state batch"],
    times: Float[Array, " time"],
) -> Float[Array, "time readout batch"]:
    """Readouts at evenly spaced `times` [h] from the first segment's start on, common to the batch.

    The same as `exact_outputs`, at one small product a time: within a segment x(t + step) = exp(A step) x(t).
    """
    count = times.shape[0]
    step = (times[-1] - times[0]) / (count - 1)
    stride = exponential(system.matrix, system.size, jnp.broadcast_to(step, start[0].shape))
    ends = jnp.concatenate([start[1:], jnp.full_like(start[:1], jnp.inf)])

    # A segment's first row is later than its start: at the moment of a dose a row shows the value before it.
    firsts = jnp.searchsorted(times, start, side="right").at[0].set(0)
    lasts = jnp.searchsorted(times, ends, side="right") - 1
    rows = jnp.zeros((count, len(readouts), start.shape[1]))

    def segment(rows: Array, part: tuple[Array, Array, Array, Array]) -> tuple[Array, None]:
        begin, state, first, last = part

        def to_first_row() -> _Vector:
            since = times[jnp.minimum(first, count - 1)] - begin
            since = jnp.where(since < 0, 0.0, since)  # not `maximum`, as in `events.course.locate`
            table = exponential(system.matrix, system.size, since)
            return apply(table, tuple(state[i] for i in range(system.size)))

        moved = once(jnp.any(first <= last), to_first_row)  # most segments of a padded schedule have no rows
        stop = jnp.max(last)

        def unfinished(carry: tuple[Array, Array, _Vector]) -> Array:
            return carry[0] <= stop

        def row(carry: tuple[Array, Array, _Vector]) -> tuple[Array, Array, _Vector]:
            k, rows, x = carry
            here = tuple(jnp.where(k == first, new, old) for new, old in zip(moved, x, strict=True))
            mine = (k >= first) & (k <= last)
            before = lax.dynamic_index_in_dim(rows, k, keepdims=False)
            now = jnp.where(mine[None, :], _read(system.readouts, readouts, here), before)
            return k + 1, lax.dynamic_update_index_in_dim(rows, now, k, 0), apply(stride, here)

        has_rows = jnp.where(first <= last, first, count)
        _, rows, _ = lax.while_loop(unfinished, row, (jnp.min(has_rows), rows, moved))
        return rows, None

    return lax.scan(segment, rows, (start, states, firsts, lasts))[0]
