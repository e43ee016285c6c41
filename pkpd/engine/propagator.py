"""The exact propagator exp(A t) of a small compartment system, batched over subjects.

A is kept as its structural non-zeros, each an array over the batch, and every product is unrolled over them:
no LAPACK call, no branch, no eigenvalues, so equal rates are no special case. The method is

    exp(A t) = exp(-q t) exp((A + q I) t),   q = max_i |a_ii|,

with A + q I non-negative, because a compartment system has non-negative off-diagonals. Its Taylor series and
all squarings then add positive numbers only and lose no digits to cancellation.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

Sparse = dict[tuple[int, int], Float[Array, "..."]]
"""Structural non-zeros (row, column) of a square matrix; entries share one shape."""

_Entries = tuple[Float[Array, "..."], ...]

_TAYLOR_TERMS = 18
_TAYLOR_NORM = 1.0
"""exp of norm 1 by 18 positive terms: the first one left out is 1/19! = 8e-18 of the sum."""

_SQUARINGS = 40
"""Enough for t |A| of 1e12; a subject with more comes back as NaN, which the caller reports."""

_BLOCK = 8
"""Squarings between two questions whether there are more."""


def closure(pattern: set[tuple[int, int]], size: int) -> tuple[tuple[int, int], ...]:
    """The non-zeros of exp(A): every (i, j) such that i can be reached from j, diagonal included."""
    reach = pattern | {(i, i) for i in range(size)}
    while True:
        wider = reach | {(i, k) for (i, j) in reach for (m, k) in reach if j == m}
        if wider == reach:
            return tuple(sorted(reach))
        reach = wider


def one_way(pattern: set[tuple[int, int]], size: int) -> tuple[int, ...]:
    """States that nothing returns to once it has left them: there exp(A t) has the diagonal exp(a_ii t)."""
    reach = set(closure(pattern, size))
    return tuple(i for i in range(size) if not any(i != j and (i, j) in reach and (j, i) in reach for j in range(size)))


def product(left: Sparse, right: Sparse) -> Sparse:
    """left right, on the structural non-zeros only."""
    result: Sparse = {}
    for (i, j), a in left.items():
        for (m, k), b in right.items():
            if j == m:
                term = a * b
                result[i, k] = result[i, k] + term if (i, k) in result else term
    return result


def apply(matrix: Sparse, vector: tuple[Float[Array, "..."], ...]) -> tuple[Float[Array, "..."], ...]:
    """matrix @ vector."""
    result = [jnp.zeros_like(v) for v in vector]
    started = [False] * len(vector)
    for (i, j), a in matrix.items():
        term = a * vector[j]
        result[i] = result[i] + term if started[i] else term
        started[i] = True
    return tuple(result)


def shift(matrix: Sparse) -> Float[Array, "..."]:
    """q = max_i |a_ii|, the shift that makes A + q I non-negative."""
    diagonal = [-a for (i, j), a in matrix.items() if i == j]
    result = diagonal[0]
    for a in diagonal[1:]:
        result = jnp.maximum(result, a)
    return result


def norm(matrix: Sparse, size: int) -> Float[Array, "..."]:
    """Largest column sum of |a_ij|."""
    columns = [[abs(a) for (_, j), a in matrix.items() if j == column] for column in range(size)]
    sums = [sum(column[1:], column[0]) for column in columns if column]
    result = sums[0]
    for column in sums[1:]:
        result = jnp.maximum(result, column)
    return result


def taylor(matrix: Sparse, size: int, time: Float[Array, "..."], terms: int = _TAYLOR_TERMS) -> Sparse:
    """exp(A t) for t |A| up to about 1: shifted Taylor series by Horner's rule.

    Arguments: `matrix` entries and `time` [h] of one shape. Returns the entries of `closure`.
    """
    pattern = closure(set(matrix), size)
    q = shift(lax.stop_gradient(matrix))  # it cancels: the result does not depend on it
    scaled = {(i, j): (a + q if i == j else a) * time for (i, j), a in matrix.items()}
    one, zero = jnp.ones_like(time), jnp.zeros_like(time)
    identity = {(i, j): one if i == j else zero for (i, j) in pattern}

    def horner(k: Int[Array, ""], entries: _Entries) -> _Entries:
        step = product(scaled, dict(zip(pattern, entries, strict=True)))
        divisor = (terms - k).astype(time.dtype)
        return tuple(identity[key] + step.get(key, zero) / divisor for key in pattern)

    series = lax.fori_loop(0, terms, horner, tuple(identity[key] for key in pattern))
    decay = jnp.exp(-q * time)
    return {key: entry * decay for key, entry in zip(pattern, series, strict=True)}


def exponential(matrix: Sparse, size: int, time: Float[Array, "..."]) -> Sparse:
    """exp(A t), each subject scaled and squared as often as it needs, independent of its neighbours.

    Arguments: `matrix` entries [1/h] and `time` [h] of one shape. Accuracy: about 2e-16 t |A|, relative in every
    entry, and better where nothing returns. Returns the entries of `closure`; NaN where t |A| is beyond 1e12 or not
    finite.
    """
    # How often to halve is a choice, not part of the function: nothing is differentiated by it, nor traced for that.
    held = lax.stop_gradient(matrix)
    reach = lax.stop_gradient(time) * (norm(held, size) + shift(held)) / _TAYLOR_NORM
    squarings = jnp.ceil(jnp.log2(jnp.maximum(reach, 1.0)))
    impossible = ~(squarings <= _SQUARINGS)
    squarings = jnp.where(impossible, 0.0, squarings)
    start = taylor(matrix, size, time * jnp.exp2(-squarings))
    pattern = tuple(start)
    most = jnp.max(squarings, initial=0.0)
    # Squaring doubles what rounding has done to a diagonal near 1; where the diagonal is known, it is put right.
    alone = [i for i in one_way(set(matrix), size) if (i, i) in matrix]

    def square(entries: _Entries, k: Float[Array, ""]) -> tuple[_Entries, None]:
        def squared() -> _Entries:
            current = dict(zip(pattern, entries, strict=True))
            result = product(current, current)
            reached = time * jnp.exp2(k + 1.0 - squarings)
            result |= {(i, i): jnp.exp(matrix[i, i] * reached) for i in alone}
            return tuple(jnp.where(k < squarings, result[key], current[key]) for key in pattern)

        return lax.cond(k < most, squared, lambda: entries), None

    def block(entries: _Entries, levels: Float[Array, " level"]) -> tuple[_Entries, None]:
        return lax.cond(levels[0] < most, lambda: lax.scan(square, entries, levels)[0], lambda: entries), None

    # A scan of fixed length can be differentiated in any mode and order; levels nobody needs are passed over, a block
    # at a time, of which reverse differentiation remembers no more than how it began.
    levels = jnp.arange(_SQUARINGS, dtype=time.dtype).reshape(-1, _BLOCK)
    entries, _ = lax.scan(jax.checkpoint(block), tuple(start.values()), levels)  # type: ignore[arg-type]
    return {key: jnp.where(impossible, jnp.nan, entry) for key, entry in zip(pattern, entries, strict=True)}
