"""Outputs of the linear block at any time, from the exact propagator: no solver, no step, no tolerance."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from pkpd.engine.method import once
from pkpd.engine.propagator import Sparse, apply, exponential, product
from pkpd.engine.rows import Rows
from pkpd.engine.system import LinearSystem

_LEAP = 8
"""Rows of a long profile that are found at once: half the time of one after the other."""

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


def over_lengths(lengths: Float[Array, "kind batch"]) -> Span:
    """Lengths of time, one of each kind: whole segments, say, from start to end."""
    return Span(lengths, lambda field: field)


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

    steps: the propagators over the segments, those of segment s at `kind[s]`. At its start the amounts are forgotten
    where `clears`.
    """
    step = _in_turn(steps)

    def segment(x: _Vector, part: tuple[Array, Array, Array, Array | None]) -> tuple[_Vector, Array]:
        which, at_start, running, cleared = part
        start = enter(x, at_start, running, cleared)
        return apply(step(which), start), jnp.stack(start)

    empty = tuple(jnp.zeros_like(jump[0, 0]) for _ in range(system.size))
    return lax.scan(segment, empty, (kind, jump, rate, clears))[1]


def _in_turn(steps: Sparse) -> Callable[[Int[Array, ""]], Sparse]:
    """Of propagators of many kinds those of one, looked up in one piece."""
    table = jnp.stack(list(steps.values()), axis=1)

    def of(kind: Int[Array, ""]) -> Sparse:
        return dict(zip(steps, lax.dynamic_index_in_dim(table, kind, keepdims=False), strict=True))

    return of


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


class Grid(NamedTuple):
    """Evenly spaced times as the segments see them.

    Of segment s the first row is `first[s]`, and it is `since[kind[s]]` [h] after its start; one that has none begins
    where the next one does. At the moment of a dose a row shows the value before it, so it is later than the start,
    but for the row 0. stride: from row to row [h].
    """

    first: Int[Array, "segment batch"]
    since: Float[Array, "kind batch"]
    kind: Int[Array, " segment"]
    stride: Float[Array, ""]


def over_grid(grid: Grid) -> dict[str, Span]:
    """From the start of a segment to its "first" row, of each kind, and over the "stride"."""
    return {"first": over_lengths(grid.since), "stride": over_lengths(jnp.full_like(grid.since[:1], grid.stride))}


def exact_outputs_on_grid(
    system: LinearSystem,
    readouts: Sequence[str],
    states: Float[Array, "segment state batch"],
    grid: Grid,
    count: int,
    moved: Mapping[str, Sparse],
    sheet: Float[Array, "time readout batch"] | None,
) -> Float[Array, "time readout batch"]:
    """Readouts at `count` evenly spaced times from the first segment's start on, common to the batch.

    The same as `exact_outputs`, at one small product a time: within a segment x(t + step) = exp(A step) x(t). moved:
    the propagators `over_grid`. sheet: what long profiles are written on, every row of it; of these, where all have a
    segment's rows in common, some are found at once.
    """
    to_first = _in_turn(moved["first"])
    stride = {key: entry[0] for key, entry in moved["stride"].items()}
    lasts = jnp.concatenate([grid.first[1:], jnp.full_like(grid.first[:1], count)]) - 1
    rows = jnp.zeros((count, len(readouts), grid.first.shape[1])) if sheet is None else sheet
    leap = None if sheet is None else _leap(system, readouts, stride)

    def segment(rows: Array, part: tuple[Array, Array, Array, Array]) -> tuple[Array, None]:
        state, first, last, kind = part
        start = tuple(state[i] for i in range(system.size))
        begin = once(jnp.any(first <= last), lambda: apply(to_first(kind), start))
        stop = jnp.max(last)

        def unfinished(carry: tuple[Array, Array, _Vector]) -> Array:
            return carry[0] <= stop

        def row(carry: tuple[Array, Array, _Vector]) -> tuple[Array, Array, _Vector]:
            k, rows, x = carry
            here = tuple(jnp.where(k == first, new, old) for new, old in zip(begin, x, strict=True))
            mine = (k >= first) & (k <= last)
            before = lax.dynamic_index_in_dim(rows, k, keepdims=False)
            now = jnp.where(mine[None, :], _read(system.readouts, readouts, here), before)
            return k + 1, lax.dynamic_update_index_in_dim(rows, now, k, 0), apply(stride, here)

        has_rows = jnp.where(first <= last, first, count)
        carry = (jnp.min(has_rows), rows, begin)
        if leap is not None:
            common = jnp.all(first == first[0]) & jnp.all(last == last[0])
            carry = leap(carry, jnp.where(common, stop, -1))
        _, rows, _ = lax.while_loop(unfinished, row, carry)
        return rows, None

    return lax.scan(segment, rows, (states, grid.first, lasts, grid.kind))[0]


def _leap(
    system: LinearSystem, readouts: Sequence[str], stride: Sparse
) -> Callable[[tuple[Array, Array, _Vector], Array], tuple[Array, Array, _Vector]]:
    """(row, rows, state there), last row -> the same after leaps of `_LEAP` rows, as many as there is room for: each
    state adds its part to all rows of a leap at once, and exp(A step) to the power of the leap is the next state."""
    weighed = {i for readout in readouts for i in system.readouts[readout]}
    used = tuple(sorted({j for (i, j) in stride if i in weighed}))
    zero = jnp.zeros_like(next(iter(stride.values())))

    def row(moved: Sparse, _: None) -> tuple[Sparse, list[Array]]:
        columns = [tuple(moved.get((i, j), zero) for i in range(system.size)) for j in used]
        further = {key: entry + zero for key, entry in product(stride, moved).items()}
        return further, [_read(system.readouts, readouts, column) for column in columns]

    far, ahead = lax.scan(row, {(i, j): zero + float(i == j) for (i, j) in stride}, None, length=_LEAP)

    def leaps(carry: tuple[Array, Array, _Vector], last: Array) -> tuple[Array, Array, _Vector]:
        def room(carry: tuple[Array, Array, _Vector]) -> Array:
            return carry[0] + _LEAP - 1 <= last

        def one(carry: tuple[Array, Array, _Vector]) -> tuple[Array, Array, _Vector]:
            k, rows, x = carry
            parts = [weight * x[j][None, None] for j, weight in zip(used, ahead, strict=True)]
            now = sum(parts[1:], parts[0])
            return k + _LEAP, lax.dynamic_update_slice_in_dim(rows, now, k, 0), apply(far, x)

        return lax.while_loop(room, one, carry)

    return leaps
