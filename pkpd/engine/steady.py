"""Steady state of linear compartments: solved, never run up to.

The amounts x at a record after an endless past of its dose satisfy

    x = exp(A II) x + b,

with b what one interval adds to empty compartments while earlier infusions still run. An infusion without end has
A x + rate = 0.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from pkpd.engine.elimination import factorise, solve
from pkpd.engine.propagator import Sparse, apply, exponential, one_way

Vector = tuple[Float[Array, "..."], ...]

_LEAST_LOSS = 1e-12
"""What an interval must eliminate at least, as part of what is there; below it there is no steady state."""


class Repeated(NamedTuple):
    """A dose that has been repeated for ever, as its record sees it; each field `[act, batch]`.

    interval, lag, length [h]; given: amount; into: its state; constant: rate of an endless infusion [amount/h].
    """

    interval: Float[Array, "*act batch"]
    lag: Float[Array, "*act batch"]
    length: Float[Array, "*act batch"]
    given: Float[Array, "*act batch"]
    into: Int[Array, "*act batch"]
    constant: Float[Array, "*act batch"]


def spans(dose: Repeated) -> tuple[Vector, Float[Array, "..."], Bool[Array, "..."]]:
    """An interval as its record sees it: (lengths of its four parts and of all of it [h], infusions that run all the
    time, whether it is an infusion at all).

    One infusion more runs in the first and third part: what of the last one does not fit before the end of the
    interval wraps round to its beginning. A dose at once enters between the second and the third, where the lag ends.
    """
    endless = dose.constant > 0
    interval = jnp.where(endless, 1.0, jnp.where(dose.lag < dose.interval, dose.interval, jnp.nan))
    length = jnp.where(endless, 0.0, dose.length)
    whole = jnp.floor(length / interval)
    part = length - whole * interval
    wrapped = dose.lag + part - interval
    wrapped = jnp.where(wrapped < 0, 0.0, wrapped)
    lengths = (wrapped, dose.lag - wrapped, part - wrapped, interval - dose.lag - (part - wrapped), interval)
    return lengths, whole, length > 0


def steady_states(matrix: Sparse, size: int, dose: Repeated, dosed: tuple[int, ...]) -> Vector:
    """Amounts at each record; NaN where something is never eliminated, or where the lag is an interval or more.

    matrix: rates between the `size` compartments [1/h], entries `[act, batch]`. dosed: states a dose may enter.
    """
    endless = dose.constant > 0
    lengths, whole, infused = spans(dose)
    interval = lengths[-1]

    # The input is one more state that keeps its value and feeds the dosed compartment.
    one = jnp.ones_like(interval)
    fed = matrix | {(i, size): jnp.where(dose.into == i, one, 0.0) for i in dosed} | {(size, size): 0.0 * one}
    # Not `maximum`: where a span is just 0 its derivative is that of a span.
    times = jnp.stack([jnp.where(span < 0, 0.0, span) for span in lengths])
    stacked = {key: jnp.broadcast_to(entry[None], times.shape) for key, entry in fed.items()}
    moved = exponential(stacked, size + 1, times)

    speed = jnp.where(infused, dose.given / jnp.where(infused, dose.length, 1.0), 0.0)
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
    repeated = solve(factorise(left, size, _LEAST_LOSS), x)

    # Only where an infusion is endless, so that a slow loss elsewhere cannot spoil a derivative; by what each
    # compartment loses in a unit of its own time.
    loss = [jnp.where(endless & (matrix[j, j] < 0), -matrix[j, j], 1.0) for j in range(size)]
    balance = {(i, j): jnp.where(endless, -entry / loss[j], 1.0 if i == j else 0.0) for (i, j), entry in matrix.items()}
    entering = tuple(
        jnp.where(dose.into == i, dose.constant, 0.0) if i in dosed else jnp.zeros_like(one) for i in range(size)
    )
    held = [amount / loss[j] for j, amount in enumerate(solve(factorise(balance, size, _LEAST_LOSS), entering))]
    return tuple(jnp.where(endless, b, a) for a, b in zip(repeated, held, strict=True))
