"""Gaussian elimination on structural non-zeros, unrolled over the batch: no LAPACK call per subject, no exchanges.

Without exchanges it is safe where the matrix is diagonally dominant: I - exp(A t) and -A of compartments, and
I/(gamma h) - J at the step sizes that an integration accepts.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

Entries = dict[tuple[int, int], Float[Array, "..."]]
Vector = tuple[Float[Array, "..."], ...]


class Factors(NamedTuple):
    """Multipliers of the elimination, what is left above the diagonal, and one over the diagonal."""

    lower: Entries
    upper: Entries
    pivots: list[Float[Array, "..."]]


def elimination_order(pattern: set[tuple[int, int]], size: int) -> tuple[int, ...]:
    """First what touches least else (Markowitz 1957, doi:10.1287/mnsc.3.3.255), so that few zeros are filled in."""
    filled, left, order = set(pattern), set(range(size)), []

    def touched(k: int) -> int:
        rows = sum((i, k) in filled for i in left if i != k)
        return rows * sum((k, j) in filled for j in left if j != k)

    while left:
        k = min(sorted(left), key=touched)
        left.remove(k)
        order.append(k)
        filled |= {(i, j) for i in left if (i, k) in filled for j in left if (k, j) in filled}
    return tuple(order)


def factorise(matrix: Entries, size: int, least: float = 0.0) -> Factors:
    """Factors of `matrix`, which has all of its diagonal; NaN from a pivot of `least` or less in size on."""
    rows = dict(matrix)
    lower: Entries = {}
    pivots = []
    for k in range(size):
        pivot = rows[k, k]
        pivots.append(1.0 / (jnp.where(jnp.abs(pivot) > least, pivot, jnp.nan) if least else pivot))
        for i in range(k + 1, size):
            if (i, k) not in rows:
                continue
            lower[i, k] = rows[i, k] * pivots[k]
            for j in range(k + 1, size):
                if (k, j) in rows:
                    change = lower[i, k] * rows[k, j]
                    rows[i, j] = rows[i, j] - change if (i, j) in rows else -change
    return Factors(lower, {(i, j): entry for (i, j), entry in rows.items() if j > i}, pivots)


def solve(factors: Factors, right: Vector) -> Vector:
    """x with matrix x = right."""
    size = len(right)
    x = list(right)
    for k in range(size):
        for i in range(k + 1, size):
            if (i, k) in factors.lower:
                x[i] = x[i] - factors.lower[i, k] * x[k]
    for k in reversed(range(size)):
        for j in range(k + 1, size):
            if (k, j) in factors.upper:
                x[k] = x[k] - factors.upper[k, j] * x[j]
        x[k] = x[k] * factors.pivots[k]
    return tuple(x)
