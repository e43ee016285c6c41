"""What an operation of JAX is in NumPy: in `interpreted`, one is done for the other."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from jax.lax import GatherScatterMode

_CHOICES = 30
"""Between more arrays NumPy does not choose."""

_Whole = Any
"""Whole numbers, Python's or NumPy's."""


def in_numpy(equation: Any) -> Callable[..., Any] | None:
    """The operation that an equation of a jaxpr says, as a function of arrays; None where NumPy has no word for it."""
    name = equation.primitive.name
    nothing = name != "tile" and any(0 in one.aval.shape for one in equation.invars)
    many = name == "select_n" and len(equation.invars) > _CHOICES
    if nothing or many or _rounds(equation) or not _single(equation):
        return None
    if name in _WHOLE and equation.invars[0].aval.dtype.kind in "iu":
        return _WHOLE[name]
    if name in _ELEMENTWISE:
        return _ELEMENTWISE[name]
    return partial(_SHAPED[name], **equation.params) if name in _SHAPED else None


def _rounds(equation: Any) -> bool:
    """Whether it makes whole numbers of others in a way about which XLA and NumPy do not agree."""
    name, given = equation.primitive.name, equation.invars[0].aval.dtype.kind if equation.invars else ""
    made = equation.outvars[0].aval.dtype.kind
    return (name in ("pow", "integer_pow") and given in "iu") or (
        name == "convert_element_type" and given in "fc" and made in "iu"
    )


def _single(equation: Any) -> bool:
    """Whether what it puts into an array, if anything, are single numbers, those with a place outside left out."""
    if not equation.primitive.name.startswith("scatter"):
        return True
    numbers = equation.params["dimension_numbers"]
    every = len(numbers.scatter_dims_to_operand_dims) == len(equation.invars[0].aval.shape)
    return every and not numbers.update_window_dims and equation.params["mode"] != GatherScatterMode.CLIP


_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "add": np.add,
    "add_any": np.add,
    "and": np.bitwise_and,
    "ceil": np.ceil,
    "copy": lambda x: x,
    "div": np.divide,
    "eq": np.equal,
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "floor": np.floor,
    "ge": np.greater_equal,
    "gt": np.greater,
    "is_finite": np.isfinite,
    "le": np.less_equal,
    "log": np.log,
    "log1p": np.log1p,
    "lt": np.less,
    "max": np.maximum,
    "min": np.minimum,
    "mul": np.multiply,
    "ne": np.not_equal,
    "neg": np.negative,
    "not": np.invert,
    "or": np.bitwise_or,
    "pow": np.power,
    "rem": np.fmod,
    "sign": np.sign,
    "sqrt": np.sqrt,
    "square": np.square,
    "stop_gradient": lambda x: x,
    "sub": np.subtract,
    "tanh": np.tanh,
}
"""Of numbers, or pairs of them, one by one."""


def _quotient(a: Any, b: Any) -> Any:
    """Cut off towards 0; of a division by 0 all bits, -1 where there is a sign."""
    by = np.where(b == 0, 1, b)
    return np.where(b == 0, np.invert(np.zeros_like(b)), (a - np.fmod(a, by)) // by)


def _remainder(a: Any, b: Any) -> Any:
    """What that leaves: all of a, after a division by 0."""
    return np.where(b == 0, a, np.fmod(a, np.where(b == 0, 1, b)))


_WHOLE: dict[str, Callable[..., Any]] = {"div": _quotient, "rem": _remainder}
"""Of whole numbers, as XLA has it."""


def _broadcast(x: Any, *, shape: _Whole, broadcast_dimensions: _Whole, **_: Any) -> Any:
    thin = [1] * len(shape)
    for place, length in zip(broadcast_dimensions, x.shape, strict=True):
        thin[place] = length
    return np.broadcast_to(x.reshape(thin), shape)


def _dot(a: Any, b: Any, *, dimension_numbers: Any, **_: Any) -> Any:
    (summed_a, summed_b), (shared_a, shared_b) = dimension_numbers
    own_a = [i for i in range(a.ndim) if i not in (*summed_a, *shared_a)]
    own_b = [i for i in range(b.ndim) if i not in (*summed_b, *shared_b)]
    a, b = a.transpose(*shared_a, *own_a, *summed_a), b.transpose(*shared_b, *summed_b, *own_b)
    shared, rows = a.shape[: len(shared_a)], a.shape[len(shared_a) : len(shared_a) + len(own_a)]
    columns = b.shape[b.ndim - len(own_b) :]
    length = int(np.prod(a.shape[a.ndim - len(summed_a) :], dtype=int))
    height, width = int(np.prod(rows, dtype=int)), int(np.prod(columns, dtype=int))
    found = np.matmul(a.reshape((*shared, height, length)), b.reshape((*shared, length, width)))
    return found.reshape((*shared, *rows, *columns))


def _gather(
    x: Any, indices: Any, *, dimension_numbers: Any, slice_sizes: _Whole, mode: Any, fill_value: Any, **_: Any
) -> Any:
    """Windows of x that begin where the indices say, by NumPy's indexing: an index for each axis of x."""
    numbers, many = dimension_numbers, indices.ndim - 1
    windows = list(map(int, numbers.offset_dims))
    batch = [i for i in range(many + len(windows)) if i not in windows]
    rank = len(batch) + len(windows)

    def along(values: Any, axes: list[int]) -> Any:
        shape = [1] * rank
        for axis, length in zip(axes, values.shape, strict=True):
            shape[axis] = length
        return values.reshape(shape)

    starts = {int(axis): indices[..., k] for k, axis in enumerate(numbers.start_index_map)}
    shared = dict(zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True))
    hidden = {*map(int, numbers.collapsed_slice_dims), *shared}
    window = iter(windows)
    every, outside = [], np.zeros([1] * rank, bool)
    for axis, (length, size) in enumerate(zip(x.shape, slice_sizes, strict=True)):
        index = along(np.zeros((), int), [])
        if axis in starts:
            start = along(starts[axis], batch)
            outside = outside | (start < 0) | (start > length - size)
            index = np.clip(start, 0, length - size)
        if axis in shared:
            index = along(np.arange(length), [batch[shared[axis]]])
        elif axis not in hidden:
            index = index + along(np.arange(size), [next(window)])
        every.append(index)
    found = x[tuple(every)]
    if mode != GatherScatterMode.FILL_OR_DROP or not outside.any():
        return found
    return np.where(outside, np.nan if fill_value is None else fill_value, found)


def _iota(*, dtype: Any, shape: _Whole, dimension: int, **_: Any) -> Any:
    ends = [1] * len(shape)
    ends[dimension] = shape[dimension]
    return np.broadcast_to(np.arange(shape[dimension], dtype=dtype).reshape(ends), shape)


def _pad(x: Any, filling: Any, *, padding_config: Any) -> Any:
    """More before, after and between the numbers of each axis; fewer where it says less than none."""
    places, taken, shape = [], [], []
    for n, (low, high, between) in zip(x.shape, padding_config, strict=True):
        length, step = max(low + n + max(n - 1, 0) * between + high, 0), between + 1
        skipped = -(min(low, 0) // step)
        first = low + skipped * step
        count = max(min(n - skipped, -(-(length - first) // step)), 0)
        taken.append(slice(skipped, skipped + count))
        places.append(slice(first, first + count * step, step))
        shape.append(length)
    found = np.full(shape, filling, x.dtype)
    found[tuple(places)] = x[tuple(taken)]
    return found


def _scatter(x: Any, indices: Any, updates: Any, *, dimension_numbers: Any, put: Callable[..., None], **_: Any) -> Any:
    """Numbers put into places of a copy of x; those with a place outside of it are dropped."""
    places = [indices[..., k] for k in np.argsort(dimension_numbers.scatter_dims_to_operand_dims)]
    inside = np.all([(place >= 0) & (place < n) for place, n in zip(places, x.shape, strict=True)], axis=0)
    found = x.copy()
    put(found, tuple(place[inside] for place in places), updates[inside])
    return found


def _slice(x: Any, *, start_indices: Any, limit_indices: Any, strides: Any) -> Any:
    return x[tuple(map(slice, start_indices, limit_indices, strides or [1] * x.ndim))]


def _dynamic_slice(x: Any, *starts: Any, slice_sizes: Any) -> Any:
    begins = [int(np.clip(i, 0, n - k)) for i, n, k in zip(starts, x.shape, slice_sizes, strict=True)]
    return x[tuple(slice(i, i + k) for i, k in zip(begins, slice_sizes, strict=True))]


def _select(which: Any, *cases: Any) -> Any:
    return np.where(which, cases[1], cases[0]) if len(cases) == 2 else np.choose(which, cases)


def _cumsum(x: Any, *, axis: int, reverse: bool) -> Any:
    ordered = np.flip(x, axis) if reverse else x
    found = ordered.cumsum(axis, dtype=x.dtype)
    return np.flip(found, axis) if reverse else found


def _split(x: Any, *, sizes: Any, axis: int) -> Any:
    return np.split(x, np.cumsum(sizes)[:-1], axis) if len(sizes) > 1 else x


def _unstack(x: Any, *, axis: int) -> Any:
    parts = np.moveaxis(x, axis, 0)
    return list(parts) if len(parts) > 1 else parts[0]


_SHAPED: dict[str, Callable[..., Any]] = {
    "broadcast_in_dim": _broadcast,
    "cumsum": _cumsum,
    "concatenate": lambda *parts, dimension: np.concatenate(parts, dimension),
    "convert_element_type": lambda x, *, new_dtype, **_: x.astype(new_dtype, copy=False),
    "dot_general": _dot,
    "dynamic_slice": _dynamic_slice,
    "gather": _gather,
    "integer_pow": lambda x, *, y: x**y if y >= 0 else 1.0 / x**-y,
    "iota": _iota,
    "pad": _pad,
    "reduce_and": lambda x, *, axes, **_: x.all(axes),
    "reduce_max": lambda x, *, axes, **_: x.max(axes),
    "reduce_min": lambda x, *, axes, **_: x.min(axes),
    "reduce_or": lambda x, *, axes, **_: x.any(axes),
    "reduce_sum": lambda x, *, axes, **_: x.sum(axes, dtype=x.dtype),
    "reshape": lambda x, *, new_sizes, **_: x.reshape(new_sizes),
    "scatter": partial(_scatter, put=np.ndarray.__setitem__),
    "scatter-add": partial(_scatter, put=np.add.at),
    "select_n": _select,
    "slice": _slice,
    "split": _split,
    "squeeze": lambda x, *, dimensions: x.squeeze(dimensions),
    "stack": lambda *parts, axis: np.stack(parts, axis),
    "tile": lambda x, *, reps: np.tile(x, reps),
    "transpose": lambda x, *, permutation: x.transpose(permutation),
    "unstack": _unstack,
}
"""With parameters that JAX names."""
