"""Memory that long profiles are written into, used again: new memory is cleared first, which takes longer than writing.

What was written before stays on a sheet until something else is written there, so a sheet is only for those who write
every row. JAX takes a new one itself where somebody still looks at the old.
"""

from threading import Lock

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

Sheet = Float[Array, "time _ subject"]

MOST_BYTES = 2**28
"""What is kept from one simulation to the next."""

_lock = Lock()
_free: list[tuple[Sheet, ...]] = []


def taken(rows: int, outputs: tuple[int, ...], subjects: int, mesh: Mesh) -> tuple[Sheet, ...]:
    """A sheet `[rows, outputs, subjects]` for each number of `outputs`, dealt out over the devices of `mesh`."""
    place = NamedSharding(mesh, P(None, None, "subject"))
    shapes = [(rows, count, subjects) for count in outputs]
    with _lock:
        for i, sheets in enumerate(_free):
            if [one.shape for one in sheets] == shapes and sheets[0].sharding == place:
                return _free.pop(i)
    return tuple(jax.device_put(np.zeros(shape), place) for shape in shapes)


def given_back(sheets: tuple[Sheet, ...]) -> None:
    """What stands on `sheets` is not needed any more. The oldest are let go where too much is kept."""
    with _lock:
        _free.append(sheets)
        while sum(one.nbytes for some in _free for one in some) > MOST_BYTES:
            _free.pop(0)
