"""Ten subjects, two samples each, and four residual error models with known objective values.

    f(t) = 10 exp(-0.5 exp(eta) t), eta ~ N(0, 0.04), y ~ N(f, variance(f))

Wang Y (2007) Derivation of various NONMEM estimation methods, J Pharmacokinet Pharmacodyn 34:575-593,
doi:10.1007/s10928-007-9060-6. Parameters are fixed, so the marginal likelihood is a number.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from oracles.quadrature import LogJoint, normal_log_density

OMEGA2 = 0.04
SIGMA2 = 0.1

OBSERVATIONS = Path(__file__).parents[2] / "data" / "qualification" / "wang2007" / "observations.csv"


def _saturating(f: NDArray) -> NDArray:
    return f / (f + 5)


VARIANCES: dict[str, Callable[[NDArray], NDArray]] = {
    "proportional": lambda f: SIGMA2 * f**2,
    "proportional, saturating": lambda f: (f * _saturating(f)) ** 2,
    "additive": lambda f: np.full_like(f, SIGMA2),
    "additive, saturating": lambda f: _saturating(f) ** 2,
}


def predicted(eta: NDArray, time: NDArray) -> NDArray:
    """[eta, time]."""
    return 10 * np.exp(-0.5 * np.exp(eta)[:, None] * time)


def subjects(error_model: str) -> list[LogJoint]:
    """The log joint density of each subject under one error model."""
    table = np.loadtxt(OBSERVATIONS, delimiter=",", skiprows=1)
    return [
        _log_joint(table[table[:, 0] == subject, 1], table[table[:, 0] == subject, 2], VARIANCES[error_model])
        for subject in np.unique(table[:, 0])
    ]


def _log_joint(time: NDArray, value: NDArray, variance: Callable[[NDArray], NDArray]) -> LogJoint:
    def log_joint(eta: NDArray) -> NDArray:
        f = predicted(eta, time)
        likelihood = normal_log_density(value, f, variance(f)).sum(axis=1)
        return likelihood + normal_log_density(eta, np.zeros_like(eta), np.full_like(eta, OMEGA2))

    return log_joint
