"""Subjects of a fit dealt out in chunks, which the devices share.

Subjects do not know of one another, but those of a chunk share the steps of an integration and wait for the slowest
search for a mode: a chunk is best small, and of subjects that are alike. Which subjects share one depends on their data
alone: neither their order in the table nor the number of devices changes a result.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P
from jaxtyping import Int, Shaped

from pkpd.engine.batches import CHUNK_OF_ACCELERATORS

CHUNK = 64
"""Most subjects in a chunk on a CPU, and beside one another, each as often as there is room."""

CHUNK_INTEGRATED = 32
"""Most in a chunk where predictions are integrated: that takes so long that a second core should have half of 40
subjects. In closed form the code for chunks takes longer to compile than they save (59 subjects: 14 s instead of 7)."""

_R = TypeVar("_R")


def chunk_of(subjects: int, most: int) -> int:
    """Subjects in a chunk: even ones, of no more than `most` on a CPU."""
    return -(-subjects // -(-subjects // _limit(most)))


def copies_of(subjects: int) -> int:
    """How often these subjects fit beside one another, once at least."""
    return max(1, _limit(CHUNK) // subjects)


def _limit(on_cpu: int) -> int:
    return on_cpu if jax.default_backend() == "cpu" else CHUNK_OF_ACCELERATORS


def alike(*columns: Shaped[np.ndarray, "_ subject"]) -> Int[np.ndarray, " subject"]:
    """The subjects in an order that follows from what they hold: by row after row of one column after the other."""
    return np.lexsort([row for column in columns[::-1] for row in column[::-1]])


def by_chunks(one: Callable[..., _R], each: Any, order: Int[Any, " subject"], most: int, *shared: Any) -> _R:
    """`one(each, *shared)`, chunk by chunk in that order, each of `most` subjects at most on a CPU.

    Arrays given and found end in the subjects.
    """
    subjects = order.shape[0]
    size = chunk_of(subjects, most)
    if size == subjects:
        return one(each, *shared)
    chunks = -(-subjects // size)
    devices = min(jax.device_count(), chunks)
    rounds = -(-chunks // devices)
    # The last subject stands in for those that are missing from the last chunk, or from a device without one.
    members = order[np.minimum(np.arange(devices * rounds * size), subjects - 1)]
    back = jnp.argsort(order)

    def dealt(field: Any) -> Any:
        taken = jnp.take(jnp.asarray(field), members, axis=-1)
        return jnp.moveaxis(taken.reshape(*taken.shape[:-1], devices * rounds, size), -2, 0)

    def collected(field: Any) -> Any:
        return jnp.moveaxis(field, 0, -2).reshape(*field.shape[1:-1], -1)[..., back]

    def on_one(own: Any, *shared: Any) -> _R:
        return jax.lax.map(lambda part: one(part, *shared), own)

    mesh = jax.make_mesh((devices,), ("chunk",), (AxisType.Auto,), devices=jax.devices()[:devices])
    specs = (P("chunk"), *(P() for _ in shared))
    split = jax.shard_map(on_one, mesh=mesh, in_specs=specs, out_specs=P("chunk"), check_vma=False)
    return jax.tree.map(collected, split(jax.tree.map(dealt, each), *shared))
