"""What a fit finds out about itself: whether it stands where it says, and how good its approximation is there."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from pkpd.fit.covariance import FLAT
from pkpd.fit.importance import importance
from pkpd.fit.objective import Approximation
from pkpd.fit.scalar import Scalar, Vector

PROMISED = 1e-3
"""Difference of the objective that a Newton step may still promise at the end."""

APART = 1.0
"""Difference of the method's objective and -2 log L, for each subject, above which the method is a poor choice."""

NOISE = 0.1
"""Monte Carlo standard error for each subject above which -2 log L says nothing."""


@dataclass(frozen=True)
class Audit:
    """`gradient`: largest derivative in x at the end. `promised`: what a Newton step would still gain, and
    `eigenvalues` of the Hessian scaled to a unit diagonal (None without a covariance step). `minus_2ll`: the
    exact -2 log L by importance sampling, in the convention of the objective and without priors, `error` its Monte
    Carlo standard error, `effective` the fewest effective draws of a subject; None where nothing varies, and where
    subjects share random effects. `reasons`: why the fit is suspect."""

    gradient: float
    promised: float | None
    eigenvalues: Float[np.ndarray, " parameter"] | None
    minus_2ll: float | None
    error: float | None
    effective: float | None
    reasons: tuple[str, ...]


def laid(scalar: Scalar) -> Scalar | None:
    """The objective whose modes place the draws of importance sampling; None where there is nothing to sample.

    Modes that know of interaction, whatever the method is: there is the posterior. Where subjects share random effects,
    one integral spans all subjects of a site, which is too many dimensions.
    """
    if scalar.population.shared is not None or not scalar.population.effects(scalar.problem.occasion_count):
        return None
    known = scalar.approximation.method != "fo" and scalar.approximation.interaction(scalar.population)
    return scalar if known else replace(scalar, approximation=Approximation("focei"))


def audit(scalar: Scalar, x: Vector, ofv: float, r: np.ndarray | None, seed: int) -> Audit:
    """Audit the estimate x with objective `ofv`, priors left out; `r`: half the Hessian, if it is known."""
    gradient = scalar.value(x)[1]
    promised, eigenvalues, reasons = None, None, []
    if r is not None and np.isfinite(r).all():
        diagonal = np.sqrt(np.maximum(np.abs(np.diag(r)), 1e-300))
        eigenvalues = np.linalg.eigvalsh(r / np.outer(diagonal, diagonal))
        if eigenvalues[0] > FLAT:
            promised = float(0.25 * gradient @ np.linalg.solve(r, gradient))
            if promised > PROMISED:
                reasons.append(f"the gradient has not vanished: a Newton step would gain {promised:.2g}")
    sampled, placed = None, laid(scalar)
    if placed is not None:
        sampled = importance(scalar.population, x, placed.evaluation(x), scalar.problem, seed=seed)
        subjects = scalar.problem.subjects
        if not np.isfinite(sampled.value) or sampled.error > NOISE * subjects:
            reasons.append(
                f"-2 log L by importance sampling is too noisy to judge the objective: {sampled.value:.1f}, standard "
                f"error {sampled.error:.1f}"
            )
        elif abs(ofv - sampled.value) > APART * subjects + 3.0 * sampled.error:
            reasons.append(
                f"the objective of {scalar.approximation.method}, {ofv:.1f}, is far from -2 log L, "
                f"{sampled.value:.1f} +- {sampled.error:.1f}: take laplace or agq"
            )
    return Audit(
        gradient=float(np.abs(gradient).max()),
        promised=promised,
        eigenvalues=eigenvalues,
        minus_2ll=None if sampled is None else sampled.value,
        error=None if sampled is None else sampled.error,
        effective=None if sampled is None else sampled.effective,
        reasons=tuple(reasons),
    )
