"""Random numbers that belong to a subject: the same whatever batch, device or worker asks for them."""

import zlib

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_BEYOND = 4.0
"""Standard normal draws are kept within 4 SD (99.994 %): no virtual subject is absurd."""


def standard_normal(
    seed: int, stream: str, name: str, count: int, low: float = -_BEYOND, high: float = _BEYOND
) -> Float[Array, " count"]:
    """One standard normal number within (low, high) for each of the subjects 0 .. count - 1.

    The key of subject i is folded from (seed, stream, name, i), so that a new parameter or a larger population
    leaves every other number as it was.
    """
    key = jax.random.key(seed)
    for part in (stream, name):
        key = jax.random.fold_in(key, zlib.crc32(part.encode()))
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, jnp.arange(count))
    return jax.vmap(lambda k: jax.random.truncated_normal(k, low, high, dtype=float))(keys)
