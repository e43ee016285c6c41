"""How long the next step is: from the error of this one, in whole parts of a segment.

With a drive tabulated for steps 2^-m sizes keep to those, at places they divide; without one any size will do.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from pkpd.engine.dyadic import LEVELS
from pkpd.engine.method import Column, Columns, Method, weigh
from pkpd.engine.tolerances import Tolerances

DYADIC = 1 << LEVELS
FREE = 1 << 40
"""Parts of a segment that places and sizes of steps count in."""

FIRST_STEP = 1.0
"""Step [h] tried first in the first segment; later segments begin with the one that worked before."""

_SAFETY = 0.9


def scaled_error(
    method: Method,
    tolerances: Tolerances,
    scale: Columns,
    before: Columns,
    after: Columns,
    stages: list[Columns],
) -> Column:
    """Root mean square over the states of the error estimate by what is allowed; a step is good up to 1."""
    total = jnp.zeros_like(before[0])
    for v, (y0, y1) in enumerate(zip(before, after, strict=True)):
        allowed = tolerances.atol * scale[v] + tolerances.rtol * jnp.maximum(jnp.abs(y0), jnp.abs(y1))
        total = total + (weigh(method.e, [k[v] for k in stages]) / allowed) ** 2
    return jnp.sqrt(total / len(before))


def growth(method: Method, worst: Float[Array, ""]) -> Float[Array, ""]:
    """By what the next step may be larger, from the error of this one."""
    return jnp.clip(_SAFETY * jnp.maximum(worst, 1e-10) ** (-1.0 / method.order), 2.0**-5, 2.0**3)


def first_size(wanted: Float[Array, ""], dyadic: bool) -> Int[Array, ""]:
    """The size nearest to `wanted`, a part of the segment."""
    if dyadic:
        halvings = jnp.clip(jnp.ceil(-jnp.log2(wanted)), 0, LEVELS).astype(int)
        return jnp.left_shift(1, LEVELS - halvings)
    return jnp.clip(wanted * FREE, 1, FREE).astype(int)


def next_dyadic(
    change: Float[Array, ""], accept: Bool[Array, ""], size: Int[Array, ""], place: Int[Array, ""]
) -> Int[Array, ""]:
    """Double or halve as often as the error allows, but only to a step that `place` is a multiple of."""
    level = lax.population_count(size - 1)
    doublings = jnp.floor(jnp.log2(change)).astype(int)
    by = jnp.where(accept, jnp.maximum(doublings, 0), jnp.minimum(doublings, -1))
    aligned = jnp.where(place == 0, LEVELS, lax.population_count((place & -place) - 1))
    return jnp.left_shift(1, jnp.clip(level + by, 0, aligned))


def next_free(
    change: Float[Array, ""], accept: Bool[Array, ""], size: Int[Array, ""], place: Int[Array, ""]
) -> Int[Array, ""]:
    """Any size; where little would be left over, two equal steps instead of a long and a tiny one."""
    by = jnp.where(accept, change, jnp.minimum(change, 0.9))
    wanted = jnp.clip(size.astype(float) * by, 1.0, FREE).astype(int)
    left = jnp.maximum(FREE - place, 1)
    return jnp.where(wanted >= left, left, jnp.where(2 * wanted > left, (left + 1) // 2, wanted))
