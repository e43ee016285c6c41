"""Fits whose objective is known: published by NONMEM, or computed independently, rerun on a user's own machine."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pkpd.fit.fit import Fit
from pkpd.fit.objective import Approximation
from pkpd.qualify import mrna6231, phenobarbital, shipped_trial, theophylline, wang
from pkpd.qualify.expected import Expected

FITS: tuple[tuple[str, str, str | None, Callable[[Path], tuple[Fit, Expected]]], ...] = (
    *theophylline.FITS,
    *phenobarbital.FITS,
    *shipped_trial.FITS,
    *mrna6231.FITS,
)
"""(case, method, folder of the data or None where they are shipped, what fits and says what is expected)."""


@dataclass(frozen=True)
class Case:
    """One fit. `reference`: the objective it is held against, -2 log L without n log(2 pi). `within`: whether it, and
    all else that is known of this fit, is in bounds; None if it did not run, `skipped` saying why. `checks`: the
    largest relative deviation of estimates and standard errors, where these are known; true values outside the 95 %
    intervals, where the data are simulated."""

    case: str
    method: str
    ofv: float | None
    reference: float | None
    difference: float | None
    within: bool | None
    skipped: str | None
    seconds: float | None
    checks: dict[str, float] = field(default_factory=dict)


def qualify_estimation(reference: Path | None, told: Callable[[str], None] = lambda case: None) -> list[Case]:
    """Every case; those whose data are not shipped need the folder `reference`, and are skipped without it."""
    found = []
    for (error_model, method), published in wang.published().items():
        name = f"wang2007, {error_model}"
        told(f"{name}, {method}")
        clock = time.perf_counter()
        if method == "exact":
            ofv, within = wang.objective(error_model, Approximation("agq", 21)), 1e-5  # five decimals are known
        else:
            ofv, within = wang.objective(error_model, Approximation(method.lower())), 1e-3
        difference = ofv - published
        seconds = time.perf_counter() - clock
        found.append(
            Case(name, method.lower(), ofv, published, difference, bool(abs(difference) < within), None, seconds)
        )
    for name, method, folder, run in FITS:
        told(f"{name}, {method}")
        if folder is not None and (reference is None or not (reference / folder).is_dir()):
            why = f"needs the folder {folder} of the reference data; say where with --reference DIR"
            found.append(Case(name, method, None, None, None, None, why, None))
            continue
        clock = time.perf_counter()
        result, expected = run(Path() if folder is None or reference is None else reference / folder)
        found.append(_judged(name, method, result, expected, time.perf_counter() - clock))
    return found


def _judged(case: str, method: str, found: Fit, expected: Expected, seconds: float) -> Case:
    difference = None if expected.ofv is None else found.ofv - expected.ofv
    checks = expected.checks(found)
    within = found.converged and expected.holds(difference, checks)
    return Case(case, method, found.ofv, expected.ofv, difference, bool(within), None, seconds, checks)
