"""The marginal likelihood of a subject with one random effect, by integration to near machine precision.

    L = integral of p(y | eta) p(eta) d eta

Two routes. The trapezoidal rule over the whole of the prior, its points doubled until nothing changes: for a
smooth integrand that dies out at both ends it converges geometrically (Trefethen and Weideman 2014,
doi:10.1137/130932132), and it needs no mode. And Gauss-Hermite nodes laid at the mode and scaled by the
curvature there (adaptive quadrature; Pinheiro and Bates 1995, doi:10.1080/10618600.1995.10474663).

Values are -2 log L with every constant; the objective NONMEM prints is less by n log(2 pi), n observations.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

LogJoint = Callable[[NDArray], NDArray]
"""log p(y | eta) + log p(eta) of one subject, for an array of eta."""


def normal_log_density(value: NDArray, mean: NDArray, variance: NDArray) -> NDArray:
    return -0.5 * (np.log(2 * np.pi * variance) + (value - mean) ** 2 / variance)


def by_trapezoid(log_joint: LogJoint, prior_sd: float, *, reach: float = 12.0) -> float:
    """-2 log L over +- `reach` prior SDs, where the prior alone is below exp(-72).

    Raises:
        ArithmeticError: a million points still move the result: the integrand is not smooth, or not finite.
    """
    end = reach * prior_sd
    before = value = np.inf
    for points in 2 ** np.arange(6, 21):
        eta, step = np.linspace(-end, end, points + 1, retstep=True)
        log_terms = log_joint(eta)
        peak = log_terms.max()
        value = float(-2 * (peak + np.log(step * np.exp(log_terms - peak).sum())))
        if abs(value - before) <= 1e-12 * max(1.0, abs(value)):
            return value
        before = value
    raise ArithmeticError(f"the marginal likelihood did not settle: {value} after {before}")


def by_nodes(log_joint: LogJoint, prior_sd: float, nodes: int) -> float:
    """-2 log L by adaptive Gauss-Hermite; with 1 node this is Laplace's approximation."""
    mode, width = _mode_and_width(log_joint, prior_sd)
    x, weight = np.polynomial.hermite.hermgauss(nodes)
    log_terms = log_joint(mode + np.sqrt(2) * width * x) + x**2
    peak = log_terms.max()
    return float(-2 * (peak + np.log(np.sqrt(2) * width * np.sum(weight * np.exp(log_terms - peak)))))


def _mode_and_width(log_joint: LogJoint, prior_sd: float) -> tuple[float, float]:
    """The peak within 8 prior SDs, by a grid then Newton, and the SD of a normal curved like it."""
    grid = np.linspace(-8 * prior_sd, 8 * prior_sd, 4001)
    mode = grid[int(np.argmax(log_joint(grid)))]
    h, curvature = 1e-3 * prior_sd, -1 / prior_sd**2
    for _ in range(5):
        left, middle, right = log_joint(mode + h * np.array([-1.0, 0.0, 1.0]))
        curvature = (right - 2 * middle + left) / h**2
        mode -= (right - left) / (2 * h) / curvature
    return float(mode), float(1 / np.sqrt(-curvature))


def population(subjects: Sequence[LogJoint], integral: Callable[[LogJoint], float]) -> float:
    """-2 log L of independent subjects."""
    return float(np.sum([integral(subject) for subject in subjects]))
