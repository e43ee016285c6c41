"""exp(A) of a small dense matrix, real or complex, by scaling, Padé's [13/13] approximant and squaring.

Higham 2005, doi:10.1137/04061101X, in its plain form. `scipy.linalg.expm` is not used because its shortcut
for triangular matrices divides differences of exponentials: for a depot and a compartment whose rates differ
by 1e-14 of themselves, SciPy 1.17.1 is wrong in the fourth digit. This one has no special cases.
"""

from math import ceil, comb, factorial, log2

import numpy as np
from numpy.typing import ArrayLike, NDArray

DEGREE = 13
LARGEST_NORM = 5.371920351148152  # up to here the approximant is exact to rounding (Higham's theta_13)
COEFFICIENTS = [  # (2q - k)! q! / ((2q)! k! (q - k)!)
    factorial(2 * DEGREE - k) * comb(DEGREE, k) / factorial(2 * DEGREE) for k in range(DEGREE + 1)
]


def matrix_exponential(matrix: ArrayLike) -> NDArray:
    """exp(A), [n, n] to [n, n]; relative error about |A| units in the last place of its largest entries."""
    a = np.asarray(matrix)
    norm = float(np.abs(a).sum(axis=0).max())
    squarings = max(0, ceil(log2(norm / LARGEST_NORM))) if norm > 0 else 0
    scaled = a / 2.0**squarings

    powers = [np.eye(len(a))]
    for _ in range(DEGREE):
        powers.append(powers[-1] @ scaled)
    even = sum(c * power for c, power in zip(COEFFICIENTS[::2], powers[::2], strict=True))
    odd = sum(c * power for c, power in zip(COEFFICIENTS[1::2], powers[1::2], strict=True))
    result = np.linalg.solve(even - odd, even + odd)
    for _ in range(squarings):
        result = result @ result
    return result
