"""Steady state of linear compartments: solved, never run up to.

The amounts x at a record after an endless past of its dose satisfy

    x = exp(A II) x + b,

with b what one interval adds to empty compartments while earlier infusions still run. An infusion without end has
A x + rate = 0.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from pkpd.engine.propagator import Sparse, apply, exponential, one_way

Vector = tuple[Float[Array, "..."], ...]

_LEAST_LOSS = 1e-12
"""What an interval must eliminate at least, as part of what is there; below it there is no steady state."""


class Repeated(NamedTuple):
    """A dose that has been repeated for ever, as its record sees it; each field `[act, batch]`.

    interval, lag, length [h]; given: amount; into: its state; constant: rate of an endless infusion [amount/h].
    """

    interval: Float[Array, "act batch"]
    lag: Float[Array, "act batch"]
    length: Float[Array, "act batch"]
    given: Float[Array, "act batch"]
    into: Int[Array, "act batch"]
    constant: Float[Array, "act batch"]


def steady_states(matrix: Sparse, size: int, dose: Repeated, dosed: tuple[int, ...]) -> Vector:
    """Amounts at each record; NaN where something is never eliminated, or where the lag is an interval or more.

    matrix: rates between the `size` compartments [1/h], entries `[act, batch]`. dosed: states a dose may enter.
    """
    endless = dose.constant > 0
    interval = jnp.where(endless, 1.0, jnp.where(dose.lag < dose.interval, dose.interval, jnp.nan))
    length = jnp.where(endless, 0.0, dose.length)
    infused = length > 0
    # `whole` infusions run all the time; one more is on during `part` of the interval, which may wrap round its end.
    whole = jnp.floor(length / interval)
    part = length - whole * interval
    wrapped = dose.lag + part - interval
    wrapped = jnp.where(wrapped < 0, 0.0, wrapped)
    spans = (wrapped, dose.lag - wrapped, part - wrapped, interval - dose.lag - (part - wrapped), interval)

    # The input is one more state that keeps its value and feeds the dosed compartment.
    one = jnp.ones_like(interval)
    fed = matrix | {(i, size): jnp.where(dose.into == i, one, 0.0) for i in dosed} | {(size, size): 0.0 * one}
    # Not `maximum`: where a span is just 0 its derivative is that of a span.
    times = jnp.stack([jnp.where(span < 0, 0.0, span) for span in spans])
    stacked = {key: jnp.broadcast_to(entry[None], times.shape) for key, entry in fed.items()}
    moved = exponential(stacked, size + 1, times)

    speed = jnp.where(infused, dose.given / jnp.where(infused, length, 1.0), 0.0)
    x: Vector = tuple(jnp.zeros_like(one) for _ in range(size))
    for span, more in enumerate((1.0, 0.0, 1.0, 0.0)):
        if span == 2:
            x = tuple(
                amount + jnp.where((dose.into == i) & ~infused, dose.given, 0.0) if i in dosed else amount
                for i, amount in enumerate(x)
            )
        step = {key: entry[span] for key, entry in moved.items()}
        x = apply(step, (*x, (whole + more) * speed))[:size]

    left: Sparse = {(i, i): one for i in range(size)}
    for (i, j), entry in moved.items():
        if i < size and j < size:
            left[i, j] = left.get((i, j), 0.0) - entry[4]
    for i in one_way(set(matrix), size):
        left[i, i] = -jnp.expm1(matrix[i, i] * interval)
    repeated = solve(left, size, x)

    # Only where an infusion is endless, so that a slow loss elsewhere cannot spoil a derivative; by what each
    # compartment loses in a unit of its own time.
    loss = [jnp.where(endless & (matrix[j, j] < 0), -matrix[j, j], 1.0) for j in range(size)]
    balance = {(i, j): jnp.where(endless, -entry / loss[j], 1.0 if i == j else 0.0) for (i, j), entry in matrix.items()}
    entering = tuple(
        jnp.where(dose.into == i, dose.constant, 0.0) if i in dosed else jnp.zeros_like(one) for i in range(size)
    )
    held = [amount / loss[j] for j, amount in enumerate(solve(balance, size, entering))]
    return tuple(jnp.where(endless, b, a) for a, b in zip(repeated, held, strict=True))


def solve(matrix: Sparse, size: int, right: Vector) -> Vector:
    """matrix^-1 right by elimination on the structural non-zeros; NaN where a pivot is `_LEAST_LOSS` or less.

    Without exchanges, because I - exp(A t) and -A of a compartment system are diagonally dominant by columns.
    """
    rows = dict(matrix)
    values = list(right)
    for k in range(size):
        pivot = rows[k, k]
        rows[k, k] = jnp.where(pivot > _LEAST_LOSS, pivot, jnp.nan)
        for i in range(k + 1, size):
            if (i, k) not in rows:
                continue
            factor = rows[i, k] / rows[k, k]
            for j in range(k + 1, size):
                if (k, j) in rows:
                    rows[i, j] = rows.get((i, j), 0.0) - factor * rows[k, j]
            values[i] = values[i] - factor * values[k]
    for k in reversed(range(size)):
        for j in range(k + 1, size):
            if (k, j) in rows:
                values[k] = values[k] - rows[k, j] * values[j]
        values[k] = values[k] / rows[k, k]
    return tuple(values)
