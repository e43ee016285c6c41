"""Memory of long profiles, used again: new memory is cleared first, which takes as long as writing there.

A sheet is what a device writes on. What stood there before stays until something else is written, so it is only for
those who write every row; JAX takes a new one itself where somebody still looks at the old. Results are copied from
sheets into arrays, whose memory comes back when nobody looks at them, or a part of them, any more.
"""

from collections import deque
from math import prod
from threading import Lock

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

Sheet = Float[Array, "time _ subject"]

MOST_BYTES = 2**28
"""What is kept of sheets from one simulation to the next, and as much again of results."""

_lock = Lock()
_free: list[tuple[Sheet, ...]] = []
_back: dict[tuple[int, ...], deque[np.ndarray]] = {}
"""Memory of results that came back, of one shape: that asked for last."""


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


class _Lent:
    """Memory of a result; numpy holds on to this while anybody looks at it."""

    def __init__(self, memory: np.ndarray) -> None:
        self.memory = memory
        self.__array_interface__ = memory.__array_interface__

    def __del__(self, back: dict[tuple[int, ...], deque[np.ndarray]] = _back) -> None:
        kept = back.get(self.memory.shape)
        if kept is not None:
            kept.append(self.memory)


def lent(shape: tuple[int, int]) -> Float[np.ndarray, "time subject"]:
    """An array with anything in it."""
    kept = _back.get(shape)
    if kept is None:
        kept = deque[np.ndarray](maxlen=MOST_BYTES // (8 * prod(shape)))
        _back.clear()
        _back[shape] = kept
    try:
        memory = kept.pop()
    except IndexError:
        memory = np.empty(shape)
    return np.asarray(_Lent(memory))
