"""Random numbers that belong to a subject: the same whatever batch, device or worker asks for them."""

import zlib
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

_BEYOND = 4.0
"""Standard normal draws are kept within 4 SD (99.994 %): no virtual subject is absurd."""


@lru_cache(maxsize=64)
def standard_normal(
    seed: int, stream: str, name: str, count: int, low: float = -_BEYOND, high: float = _BEYOND
) -> Float[Array, " count"]:
    """One standard normal number within (low, high) for each of the subjects 0 .. count - 1.

    The key of subject i is folded from (seed, stream, name, i), so that a new parameter or a larger population
    leaves every other number as it was.
    """
    parts = np.array([zlib.crc32(part.encode()) for part in (stream, name)], np.uint32)
    return _drawn(seed, parts, low, high, count)


@partial(jax.jit, static_argnames=("count",))
def _drawn(
    seed: Int[Array, ""], parts: UInt32[Array, " part"], low: Float[Array, ""], high: Float[Array, ""], count: int
) -> Float[Array, " count"]:
    key = jax.random.key(seed)
    for part in parts:
        key = jax.random.fold_in(key, part)
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, jnp.arange(count))
    return jax.vmap(lambda k: jax.random.truncated_normal(k, low, high, dtype=float))(keys)
