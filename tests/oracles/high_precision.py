"""Matrix exponentials and oral absorption in as many digits as asked for, for nearly equal rates.

Floats are taken as the exact binary numbers they are, so the answer is that of the very matrix a solver
was given. The Taylor series is summed without tricks. Its terms may grow to exp(t |A|) before they fall, and
the result may be as small as exp(-t |A|): together 2 t |A| / ln 10 digits, so t |A| more are carried.
"""

import mpmath
import numpy as np
from numpy.typing import ArrayLike, NDArray


def expm_action(rates: ArrayLike, amounts: ArrayLike, time: float, digits: int = 50) -> list[mpmath.mpf]:
    """exp(A t) x to `digits` digits of its largest entry, for a small real matrix A [n, n]."""
    a = np.asarray(rates, dtype=float)
    growth = float(np.abs(a).sum(axis=1).max()) * abs(time)  # infinity norm of A t
    with mpmath.workdps(digits + 20 + int(growth)):
        step = [[mpmath.mpf(float(entry)) * mpmath.mpf(time) for entry in row] for row in a]
        term = [mpmath.mpf(float(entry)) for entry in np.asarray(amounts, dtype=float)]
        total, order = list(term), 0
        smallest = mpmath.mpf(10) ** -(digits + 10 + int(growth))
        while order <= growth or max(abs(entry) for entry in term) > smallest:
            order += 1
            term = [mpmath.fdot(row, term) / order for row in step]
            total = [so_far + entry for so_far, entry in zip(total, term, strict=True)]
        return total


def infusion_action(
    rates: ArrayLike, amounts: ArrayLike, inflow: ArrayLike, time: float, digits: int = 50
) -> list[mpmath.mpf]:
    """The amounts after `time` of x' = A x + u from x(0) = `amounts`, with constant u = `inflow`."""
    n = len(np.asarray(amounts))
    unit = 2.0 ** np.ceil(np.log2(max(1.0, np.abs(inflow).max())))  # exact, and keeps the matrix small
    augmented = np.zeros((n + 1, n + 1))
    augmented[:n, :n] = rates
    augmented[:n, n] = np.asarray(inflow, dtype=float) / unit
    return expm_action(augmented, [*np.asarray(amounts, dtype=float), unit], time, digits)[:n]


def as_floats(values: list[mpmath.mpf]) -> NDArray:
    """Rounded once, to doubles."""
    return np.array([float(value) for value in values])


def oral_amount(dose: float, ka: float, ke: float, time: float, digits: int = 50) -> mpmath.mpf:
    """Amount in the central compartment after an oral dose, Bateman's equation, with its limit at ka = ke.

    D ka / (ka - ke) (exp(-ke t) - exp(-ka t)); the difference of two close exponentials loses as many digits
    as ka and ke share, at most 17 for two doubles.
    """
    with mpmath.workdps(digits + 40):
        d, a, e, t = (mpmath.mpf(value) for value in (dose, ka, ke, time))
        if a == e:
            return d * a * t * mpmath.exp(-a * t)
        return d * a / (a - e) * (mpmath.exp(-e * t) - mpmath.exp(-a * t))
