"""How well the estimates are known: covariance, standard errors, and a verdict where the data do not say.

With R half the Hessian of the objective in x and S the sum of s s'/4 over the subjects' scores s,

    sandwich R^-1 S R^-1 (NONMEM's default),    R^-1,    S^-1

Everything is exact: no finite differences. A prior counts in S as it does in R, by half the Hessian of its -2 log
density, as if it were data of its own with the information it has: where the data say nothing, all three give the
prior's SD.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from pkpd.errors import InputError
from pkpd.fit.scalar import Scalar, Vector, natural

Square = Float[np.ndarray, "parameter parameter"]

FLAT = 1e-6
"""Eigenvalue of R, scaled to a unit diagonal, below which a direction is not identified. What is integrated to 1e-7
leaves 2e-7 in a direction in which nothing changes at all."""

SINGULAR = 1e7
"""Condition number of the correlation above which the covariance says nothing in some direction."""

_WIDE = 3.0
"""SE on the log scale above which the data leave a factor of 20 on both sides open."""


@dataclass(frozen=True)
class Uncertainty:
    """The covariance step. `names`: elements of x; `covariance` and `correlation` of x. `se`: of what a person
    reads, by the delta method, without what is fixed; NaN where there is none. `natural`: the
    covariance of these, fixed ones included. `eigenvalues`: of R, scaled to a unit diagonal.
    `condition`: largest over smallest eigenvalue of the correlation. `verdict`: what is not identified, in words."""

    kind: str
    names: tuple[str, ...]
    r: Square
    s: Square
    covariance: Square
    correlation: Square
    se: dict[str, float]
    natural: Float[np.ndarray, "summary summary"]
    eigenvalues: Float[np.ndarray, " parameter"]
    condition: float
    verdict: tuple[str, ...]


def uncertainty(scalar: Scalar, x: Vector, kind: str = "sandwich") -> Uncertainty:
    """The covariance step at the estimate x. Raises `InputError` on a kind that is not known."""
    if kind not in ("sandwich", "r", "s"):
        raise InputError(f"covariance '{kind}' is not known; there are sandwich, r and s, and None for no such step")
    names = scalar.population.packing.names
    r = 0.5 * scalar.hessian(x)
    scores = scalar.value(x)[2]
    s = 0.25 * scores @ scores.T + _of_priors(scalar, x)
    eigenvalues, verdict = identified(r, names)
    covariance = _covariance(kind, r, s) if eigenvalues[0] > FLAT else np.full_like(r, np.nan)
    # At an optimum without priors the scores sum to 0: one unit more than there are estimates is needed.
    few = scores.shape[1] <= len(names)
    if kind != "r" and few:
        units = "subjects" if scalar.problem.sharing is None else "sites"
        verdict = (
            *verdict,
            f"{scores.shape[1]} {units} for {len(names)} estimates: S has no full rank; take the covariance 'r'",
        )
        covariance = np.full_like(r, np.nan) if kind == "s" else covariance
    # J, the derivatives of what a person reads: its covariance is J C J'.
    slope = np.asarray(natural(jnp.asarray(x), scalar.population)[1])
    carried = slope @ covariance @ slope.T
    deviations = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviations, deviations)
    spectrum = np.linalg.eigvalsh(correlation) if np.isfinite(correlation).all() else np.array([np.nan])
    for one, wide in zip(scalar.population.packing.free, deviations, strict=True):
        if one.transform.kind in ("log", "logit") and wide > _WIDE:
            verdict = (
                *verdict,
                f"{one.name} is hardly identified: its SE on the {one.transform.kind} scale is {wide:.1f}",
            )
    # With so few subjects it is singular anyway, which has been said.
    if spectrum[0] <= spectrum[-1] / SINGULAR and (kind == "r" or not few):
        pairs = np.argwhere(np.abs(np.tril(correlation, -1)) > 0.999).tolist()
        who = "".join(f"; {names[i]} and {names[j]} correlate by {correlation[i, j]:.4f}" for i, j in pairs)
        verdict = (*verdict, f"the covariance is all but singular, its standard errors may be far too small{who}")
    every = zip(scalar.population.summary_names, np.diag(carried), np.any(slope != 0, axis=1).tolist(), strict=True)
    se = {name: float(np.sqrt(variance)) for name, variance, moves in every if moves}
    return Uncertainty(
        kind,
        names,
        r,
        s,
        covariance,
        correlation,
        se,
        carried,
        eigenvalues,
        float(spectrum[-1] / spectrum[0]) if spectrum[0] > 0 else float("nan"),
        verdict,
    )


def _of_priors(scalar: Scalar, x: Vector) -> Square:
    """The information of the priors; where a density bends upwards, as far out in a tail, it has none."""
    if not scalar.population.priors:
        return np.zeros((len(x), len(x)))
    values, vectors = np.linalg.eigh(0.5 * scalar.bend_of_priors(x))
    return (vectors * np.maximum(values, 0.0)) @ vectors.T


def identified(r: Square, names: tuple[str, ...]) -> tuple[Float[np.ndarray, " parameter"], tuple[str, ...]]:
    """Eigenvalues of R scaled to a unit diagonal, ascending; and a sentence for each direction that is flat."""
    diagonal = np.diag(r)
    if not np.isfinite(r).all():
        return np.full(len(r), np.nan), ("the second derivatives are not finite: there are no standard errors",)
    sentences = [
        f"{name} is not identified: the objective does not change with it"
        for name, d in zip(names, diagonal, strict=True)
        if abs(d) <= 1e-12
    ]
    scale = np.sqrt(np.where(np.abs(diagonal) > 1e-12, np.abs(diagonal), 1.0))
    values, vectors = np.linalg.eigh(r / np.outer(scale, scale))
    for value, vector in zip(values, vectors.T, strict=True):
        if value > FLAT:
            continue
        large = [i for i in np.argsort(-np.abs(vector)).tolist() if abs(vector[i]) > 0.3]
        if len(large) == 1 and abs(diagonal[large[0]]) <= 1e-12:
            continue
        who = ", ".join(names[i] for i in large)
        if value < -FLAT:
            sentences.append(f"no minimum: the objective still falls where {who} change together")
        else:
            sentences.append(f"{who} are not identified: changed together they leave the objective as it is")
    return values, tuple(sentences)


def _covariance(kind: str, r: Square, s: Square) -> Square:
    if kind == "s":
        return np.linalg.pinv(s)
    inverse = np.linalg.inv(r)
    return inverse if kind == "r" else inverse @ s @ inverse
