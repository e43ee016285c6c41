"""What a fit found, as a person reads it: parameters with intervals, criteria, and what to be wary of."""

from math import atanh, exp, inf, isfinite, log, nan, sqrt, tanh
from typing import Any

import jax
import numpy as np

from pkpd.fit.connection import Connection
from pkpd.fit.fit import Fit
from pkpd.fit.problem import Problem
from pkpd.models.model import Model
from pkpd.population.individual import LogNormal
from pkpd.population.population import Population
from pkpd.population.priors import said
from pkpd.population.residual import Additive, BelowLimit, Combined
from pkpd.population.transform import Transform
from pkpd.runs.folder import sha256

RSE_LIMIT = {"theta": 30.0, "omega": 50.0, "correlation": 50.0, "sigma": 30.0}
"""Relative standard errors [%] above which an estimate is marked, the limits of PsN's sumo."""

CONDITION_LIMIT = 1000.0
CORRELATION_LIMIT = 0.9
_Z = 1.959963984540054
_DEVIATIONS = ("sd", "additive", "proportional")
"""Parameters of an error model that are standard deviations."""

_GONE = 1e-3
"""A standard deviation below this part of its initial value has gone to 0: what it then is, only chance decides."""


def results(fit: Fit, model: Model, problem: Problem) -> dict[str, Any]:
    """Everything a run keeps of `fit`, plain and ready for JSON; what has no value is None.

    AIC = d + 2 p and BIC = d + p log n, with d the objective without the priors' part and with the n log(2 pi) that
    NONMEM leaves out, p the number of estimates, and n the measured observations.
    """
    population, step, audit = fit.population, fit.uncertainty, fit.audit
    measured = sum(int(np.sum(np.asarray(one.scored & one.measured))) for one in problem.observations.values())
    constant = float(np.sum(np.asarray(problem.constant)))
    deviance, estimated = fit.ofv - fit.penalty + constant, len(fit.x)
    rows = [_row(name, fit, model) for name in population.summary_names]
    return plain(
        {
            "model": model.name,
            "method": fit.method.method,
            "nodes": fit.method.nodes,
            "convention": fit.convention,
            "converged": fit.converged,
            "ofv": fit.ofv,
            "penalty": fit.penalty,
            "priors": {name: said(prior) for name, prior in population.priors.items()},
            "aic": deviance + 2 * estimated,
            "bic": deviance + estimated * log(max(measured, 1)),
            "log_2pi_constant": constant,
            "observations": measured,
            "subjects": problem.subjects,
            "estimated": estimated,
            "condition": None if step is None else step.condition,
            "covariance": None if step is None else step.kind,
            "minus_2ll": None if audit is None else audit.minus_2ll,
            "minus_2ll_error": None if audit is None else audit.error,
            "gradient": None if audit is None else audit.gradient,
            "eigenvalues": None if audit is None or audit.eigenvalues is None else audit.eigenvalues.tolist(),
            "eta_shrinkage": fit.eta_shrinkage,
            "epsilon_shrinkage": fit.epsilon_shrinkage,
            "starts": [
                {"ofv": one.value, "converged": one.verdict.converged, "reason": one.verdict.reason, "steps": one.steps}
                for one in fit.starts
            ],
            "agreeing": fit.agreeing,
            "reasons": list(fit.reasons),
            "lights": _lights(fit, rows),
            "evaluations": fit.evaluations,
            "seconds": fit.seconds,
            "compiling": fit.compiling,
            "parameters": rows,
            "x": dict(zip(population.packing.names, np.asarray(fit.x).tolist(), strict=True)),
        }
    )


def scored(population: Population, model: Model, joined: Connection) -> dict[str, Any]:
    """By endpoint what its likelihood is of: a hash of the rows, what those beyond a limit count for, and the unit.
    Objectives are of the same data where all of it is the same."""
    found = {}
    for name, observed in joined.problem.observations.items():
        below, rows = population.residuals[name].below, joined.table.row[np.asarray(observed.scored)]
        beyond = bool((np.asarray(observed.scored) & ~np.asarray(observed.measured)).any())
        found[name] = {
            "rows": sha256(np.sort(rows).astype("<i8").tobytes()),
            "below": (BelowLimit().method if below is None else below.method) if beyond else None,
            "unit": model.outputs[name],
        }
    return found


def plain(value: Any) -> Any:
    """`value` for JSON, which has no NaN and no infinity: None stands for them."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    return None if isinstance(value, float) and not isfinite(value) else value


def _row(name: str, fit: Fit, model: Model) -> dict[str, Any]:
    population = fit.population
    kind = _kind(name, population)
    theta = population.thetas.get(name)
    transform = None if theta is None else theta.scale()
    estimate = fit.estimates[name]
    fixed = theta.fixed if theta is not None else _held(name, population)
    scale = "fisher z" if kind == "correlation" else "log" if transform is None else _scale(transform)
    initial = float(theta.initial) if theta is not None else _initial(population)[name]
    gone = not fixed and kind in ("omega", "sigma") and abs(estimate) < _GONE * abs(initial)
    lower, upper = (-inf, inf) if theta is None else (theta.lower, theta.upper)
    at_bound = gone or any(isfinite(one) and f"{one:.1e}" == f"{estimate:.1e}" for one in (lower, upper))
    # Where an estimate would go on if it might, no derivative tells how well it is known.
    se = nan if at_bound and not gone and not fixed else fit.se.get(name, nan)
    low, high = (nan, nan) if fixed or gone else _interval(estimate, se, scale, transform)
    # The relative error of a variance is twice that of its SD.
    factor = 2.0 if kind in ("omega", "sigma") else 1.0
    effect = name.partition(".")[2]
    lognormal = kind == "omega" and effect in _lognormal(population)
    parts = {one.symbol: one for one in model.parameters}
    return {
        "name": name,
        "label": parts[name].meaning if name in parts else "",
        "unit": parts[name].unit if name in parts else _unit_of_error(name, population, model),
        "kind": kind,
        "scale": scale,
        "estimate": estimate,
        "se": se,
        "rse_pct": 100 * factor * se / abs(estimate) if estimate and not (fixed or gone) else nan,
        "ci_low": low,
        "ci_high": high,
        "variance": estimate**2 if kind in ("omega", "sigma") else nan,
        "cv_pct": 100 * sqrt(exp(min(estimate**2, 700.0)) - 1) if lognormal else nan,
        "shrinkage_pct": 100 * _shrunk(name, kind, fit),
        "fixed": fixed,
        "init": initial,
        "lower": lower,
        "upper": upper,
        "at_bound": at_bound,
    }


def _kind(name: str, population: Population) -> str:
    """theta, omega, correlation, or sigma for a standard deviation of the residual error."""
    if name not in population.thetas:
        return "correlation" if "_corr" in name.partition(".")[0] else "omega"
    of_error = any(
        label in _DEVIATIONS and name in {getattr(part, "name", "") for part in one.walk()}
        for ones in population.residual_expressions.values()
        for label, one in ones.items()
    )
    return "sigma" if of_error else "theta"


def _unit_of_error(name: str, population: Population, model: Model) -> str:
    """That of the output, where `name` is an SD which is added to it as it is."""
    for endpoint, labels in population.residual_expressions.items():
        error = population.residuals[endpoint]
        label = {Additive: "sd", Combined: "additive"}.get(type(error.scale), "")
        parts = labels[label].walk() if label else ()
        if error.transformation is None and name in {getattr(part, "name", "") for part in parts}:
            return model.outputs[endpoint]
    return ""


def _held(name: str, population: Population) -> bool:
    """Whether the block of Omega that `name` belongs to is fixed."""
    label, _, rest = name.partition(".")
    fixed = {one.name for one in population.packing.coordinates if one.fixed}
    for omega in population.levels:
        for part in omega.parts:
            mine = {f"{omega.label}.{one}" for one in part.effects}
            mine |= {f"{omega.label}_corr.{a}.{b}" for a in part.effects for b in part.effects}
            if f"{label}.{rest}" in mine:
                return part.names[0][0] in fixed
    raise KeyError(name)


def _initial(population: Population) -> dict[str, float]:
    start = population.packing.values(jax.numpy.asarray(population.packing.start()))
    return {name: float(value) for name, value in population.summary(start).items()}


def _lognormal(population: Population) -> set[str]:
    return {part.name for one in population.expressions.values() for part in one.walk() if isinstance(part, LogNormal)}


def _shrunk(name: str, kind: str, fit: Fit) -> float:
    if not isfinite(fit.ofv):
        return nan  # random effects that were never found have not shrunk
    if kind == "omega":
        level, _, effect = name.partition(".")
        levels = {"omega": effect, "omega_iov": f"{effect} OCC", "omega_site": f"{effect} {fit.population.site}"}
        effect = levels.get(level, "")
        return fit.eta_shrinkage.get(effect, nan)
    return fit.epsilon_shrinkage.get(name.partition(".")[0], nan) if kind == "sigma" else nan


def _scale(transform: Transform) -> str:
    """Where an interval is symmetric: where it is estimated; a standard deviation, on the log scale."""
    return "log" if transform.kind == "signed" else transform.kind


def _interval(estimate: float, se: float, scale: str, transform: Transform | None) -> tuple[float, float]:
    """The 95 % interval: symmetric on `scale`, then transformed back."""
    if not (isfinite(se) and isfinite(estimate)):
        return nan, nan
    if scale == "fisher z":
        if abs(estimate) >= 1:
            return nan, nan
        middle, half = atanh(estimate), _Z * se / (1 - estimate**2)
        return tanh(middle - half), tanh(middle + half)
    on = Transform("log") if transform is None or transform.kind == "signed" else transform
    if on.kind == "log" and not estimate > on.lower:
        return nan, nan
    x = on.position(estimate)
    half = _Z * se / abs(float(jax.grad(on.value)(x)))
    low, high = sorted(float(on.value(jax.numpy.asarray(end))) for end in (x - half, x + half))
    return low, high


def _at_bound(row: dict[str, Any]) -> str:
    if row["kind"] in ("omega", "sigma"):
        return "the standard deviation has gone to 0: the data do not ask for it; leave it out, and compare"
    return f"{row['estimate']:.4g} is at its bound, where there is no standard error"


def _lights(fit: Fit, rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What PsN's sumo would warn of, by its limits."""
    found = [
        {"code": "W-RSE", "message": f"{row['name']}: RSE {row['rse_pct']:.0f} % is above {RSE_LIMIT[row['kind']]:g} %"}
        for row in rows
        if row["rse_pct"] > RSE_LIMIT[row["kind"]]
    ]
    found += [
        {"code": "W-BOUND", "message": f"{row['name']}: {_at_bound(row)}"}
        for row in rows
        if row["at_bound"] and not row["fixed"]
    ]
    step = fit.uncertainty
    if step is None:
        return found
    if step.condition > CONDITION_LIMIT:
        found.append({"code": "W-CONDITION", "message": f"condition number {step.condition:.0f} is above 1000"})
    for i, j in np.argwhere(np.abs(np.tril(step.correlation, -1)) > CORRELATION_LIMIT).tolist():
        message = f"{step.names[i]} and {step.names[j]} correlate by {step.correlation[i, j]:.2f}"
        found.append({"code": "W-CORRELATION", "message": message})
    return found
