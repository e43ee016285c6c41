"""Random numbers that belong to a subject: the same whatever batch, device or worker asks for them."""

import zlib
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from pkpd.engine.compiler import jitted

_BEYOND = 4.0
"""Standard normal draws are kept within 4 SD (99.994 %): no virtual subject is absurd."""

_FEWEST = 1024
"""Subjects drawn for at least, and then twice as many and so on: few numbers of subjects are compiled for."""

_MANY = 16_384
"""More are drawn by code that takes longer to compile and less to run."""


@lru_cache(maxsize=64)
def standard_normal(
    seed: int, stream: str, name: str, count: int, low: float = -_BEYOND, high: float = _BEYOND
) -> Float[np.ndarray, " count"]:
    """One standard normal number within (low, high) for each of the subjects 0 .. count - 1.

    The key of subject i is folded from (seed, stream, name, i), so that a new parameter or a larger population
    leaves every other number as it was.
    """
    parts = np.array([zlib.crc32(part.encode()) for part in (stream, name)], np.uint32)
    drawn = _drawn(seed, parts, low, high, max(_FEWEST, 1 << (count - 1).bit_length()))
    return np.asarray(drawn)[:count]


@jitted("count", little=lambda *given: given[-1] <= _MANY)
def _drawn(
    seed: Int[Any, ""], parts: UInt32[Any, " part"], low: Float[Any, ""], high: Float[Any, ""], count: int
) -> Float[Array, " count"]:
    key = jax.random.key(seed)
    for part in parts:
        key = jax.random.fold_in(key, part)
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, jnp.arange(count))
    return jax.vmap(lambda k: jax.random.truncated_normal(k, low, high, dtype=float))(keys)
