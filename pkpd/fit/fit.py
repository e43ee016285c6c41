"""Fitting a population to a problem: starts, the outer method, the covariance step, and what came of it."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Float

from pkpd.errors import InputError
from pkpd.fit import kinks
from pkpd.fit.ahead import prepare
from pkpd.fit.audit import Audit, audit
from pkpd.fit.checkpoint import Checkpoint, fingerprint
from pkpd.fit.clock import Clock
from pkpd.fit.covariance import Uncertainty, uncertainty
from pkpd.fit.estimator import Estimator, Progress, Verdict, run
from pkpd.fit.impossible import refuse_impossible
from pkpd.fit.individual import Individual, spread
from pkpd.fit.inference_data import asymptotic_draws
from pkpd.fit.objective import CONVENTION, Approximation
from pkpd.fit.problem import Problem, Table
from pkpd.fit.quasi_newton import QuasiNewton
from pkpd.fit.scalar import Scalar, Vector, natural
from pkpd.fit.shrinkage import epsilon_shrinkage, eta_shrinkage, individual_effects
from pkpd.fit.starts import starts as random_starts
from pkpd.population.population import Population

_AGREE = 0.1
"""Objectives of two starts this near to each other have found the same optimum."""


@dataclass(frozen=True)
class Start:
    """What became of one start. `evaluations` of the objective and its gradient; `failed`: subjects whose objective
    could not be computed where it ended."""

    x: Vector
    value: float
    verdict: Verdict
    steps: int
    evaluations: int
    failed: tuple[int, ...]


@dataclass(frozen=True)
class Fit:
    """A finished fit.

    `ofv` follows `convention`, with `penalty` of the priors in it. `estimates`, `se`: what a person reads, on its
    natural scale. `z`: whitened random effects, eta = L z. `etas`: by effect, `[subject]` or `[record, subject]`.
    `subject_ofv`: without priors. `uncertainty`: None where none was asked for. `audit`: None where the objective is
    infinite, or `examined` was not called. `reasons`: why the fit is not to be trusted, if so. `agreeing`: starts that
    ended within 0.1 of the best. `seconds`: by part; `compiling`: those among them in which programs were made, not
    run; both of this process only, where the fit was resumed.
    """

    population: Population
    method: Approximation
    convention: str
    converged: bool
    ofv: float
    penalty: float
    x: Vector
    z: Float[np.ndarray, "effect subject"]
    estimates: dict[str, float]
    uncertainty: Uncertainty | None
    etas: dict[str, np.ndarray]
    subject_ofv: Float[np.ndarray, " subject"]
    eta_shrinkage: dict[str, float]
    epsilon_shrinkage: dict[str, float]
    audit: Audit | None
    starts: tuple[Start, ...]
    agreeing: int
    reasons: tuple[str, ...]
    seconds: dict[str, float]
    compiling: float

    def __str__(self) -> str:
        """The estimates with their standard errors, the objective, and why it is suspect, if so."""
        lines = [f"{'':24}{'estimate':>12}{'SE':>12}"]
        for name, value in self.estimates.items():
            lines.append(
                f"{name:24}{value:12.4g}{self.se[name]:12.3g}" if name in self.se else f"{name:24}{value:12.4g}"
            )
        lines.append(f"{self.method.method}, objective {self.ofv:.3f} ({self.convention})")
        return "\n".join([*lines, *(f"suspect: {reason}" for reason in self.reasons)])

    @property
    def evaluations(self) -> int:
        """How often all starts evaluated the objective and its gradient."""
        return sum(one.evaluations for one in self.starts)

    @property
    def se(self) -> dict[str, float]:
        """Standard errors on the natural scale; empty where there was no covariance step."""
        return {} if self.uncertainty is None else self.uncertainty.se

    def to_inferencedata(self, draws: int = 1000, seed: int = 0) -> Any:
        """Asymptotic draws for ArviZ: see `pkpd.fit.inference_data.asymptotic_draws`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # ArviZ announces its own rearrangement at import
            import arviz  # a second to load, for those who ask for it

        return arviz.InferenceData(posterior=self.drawn(draws, seed))

    def drawn(self, draws: int = 1000, seed: int = 0) -> xr.Dataset:
        """The same without ArviZ: dims (chain, draw), as the group `posterior` of a file that ArviZ reads."""
        return asymptotic_draws(self.population, self.x, self.uncertainty, draws, seed)


def fit(
    population: Population,
    problem: Problem,
    table: Table,
    *,
    method: str = "focei",
    nodes: int = 1,
    estimator: Estimator | None = None,
    starts: int = 1,
    seed: int = 0,
    covariance: str | None = "sandwich",
    told: Callable[[int, Progress], None] | None = None,
    checkpoints: Path | None = None,
) -> Fit:
    """Minimise the objective of `population` for `problem` (made from `table`).

    `nodes`: of agq for each random effect. `starts`: one from the initial estimates, the others random, each
    parameter off by up to a factor of 3. `told` is called with the start, from 0, and its progress after each step.
    `covariance`: None for no covariance step. `checkpoints`: folder from which a fit that was killed goes on, with the
    result it would have had.

    Raises `InputError` on what can be seen to be wrong before anything is computed, such as a proportional error
    where the prediction is 0, naming the rows.
    """
    found = estimated(
        population,
        problem,
        table,
        method=method,
        nodes=nodes,
        estimator=estimator,
        starts=starts,
        seed=seed,
        covariance=covariance,
        told=told,
        checkpoints=checkpoints,
    )
    return examined(found, problem, covariance=covariance, seed=seed)


def estimated(
    population: Population,
    problem: Problem,
    table: Table,
    *,
    method: str,
    nodes: int = 1,
    estimator: Estimator | None = None,
    starts: int = 1,
    seed: int = 0,
    covariance: str | None = None,
    told: Callable[[int, Progress], None] | None = None,
    checkpoints: Path | None = None,
) -> Fit:
    """The first part of `fit`: the estimates, without a covariance step and an audit.

    `covariance`: that which `examined` will be asked for; its programs are made ready beside those needed here.
    """
    scalar = Scalar(population, Approximation(method, nodes), problem)
    outer = QuasiNewton() if estimator is None else estimator
    if not isinstance(starts, int) or starts < 1:
        raise InputError(f"starts={starts}: a fit has a whole number of starts, one or more")
    refuse_impossible(population, scalar.approximation, problem, table)
    clock = Clock()
    if covariance is not None:
        prepare(scalar)
    ended = []
    for k, x in enumerate(random_starts(population, starts, seed)):
        place = None if checkpoints is None else checkpoints / f"start_{k:03d}.npz"
        ended.append(_from(outer, scalar, x, None if told is None else partial(told, k), place))
    converged = [one for one in ended if one.verdict.converged]
    best = min(converged or ended, key=lambda one: one.value)
    judged = tuple(_judged(one, best) for one in ended)
    return _result(scalar, table, best, judged, clock)


def examined(found: Fit, problem: Problem, *, covariance: str | None = "sandwich", seed: int = 0) -> Fit:
    """The second part of `fit`: the covariance step, and the audit. Without numbers there is nothing to examine."""
    if not np.isfinite(found.ofv):
        return found
    scalar = Scalar(found.population, found.method, problem)
    step, reasons, seconds, clock = None, list(found.reasons), dict(found.seconds), Clock()
    if covariance is not None:
        step = uncertainty(scalar, found.x, covariance)
        reasons += step.verdict
        seconds["covariance"] = clock.seconds
    before = clock.seconds
    audited = audit(scalar, found.x, float(found.subject_ofv.sum()), None if step is None else step.r, seed)
    reasons += audited.reasons
    seconds["audit"] = clock.seconds - before
    return replace(
        found,
        uncertainty=step,
        audit=audited,
        reasons=tuple(reasons),
        seconds=seconds,
        compiling=found.compiling + clock.compiling,
    )


def _kinks(scalar: Scalar) -> str:
    """What may be the matter where random effects move when doses arrive or infusions end."""
    moved = [name for name in scalar.problem.timing if name in scalar.population.varying]
    if not moved or scalar.approximation.method == "fo":
        return ""
    return (
        f" (random effects of {', '.join(moved)} move arrivals or ends of infusions onto samples, where a likelihood "
        "has kinks, of which not all are seen (docs/fit.md): let fewer parameters vary, or take fo)"
    )


def _judged(start: Start, best: Start) -> Start:
    """A start that settled above the best one has found another optimum: that is no result."""
    if not start.verdict.converged or start.value <= best.value + _AGREE:
        return start
    reason = f"settled at another optimum, {start.value - best.value:.1f} above the best"
    return replace(start, verdict=Verdict(True, False, reason))


def _from(
    estimator: Estimator, scalar: Scalar, x: Vector, told: Callable[[Progress], None] | None, path: Path | None
) -> Start:
    state = estimator.init(scalar, x)
    kept = None
    if path is not None:
        kept = Checkpoint(path, fingerprint(scalar, estimator, x))
        state = kept.resume(state) or state
    state, verdict = run(estimator, scalar, state, told=told, kept=None if kept is None else kept.keep)
    if kept is not None:
        kept.keep(state, now=True)
    end = estimator.finish(state)
    found = scalar.evaluation(end)
    failed = tuple(int(i) for i in np.flatnonzero(found.failed))
    last = estimator.progress(state)
    return Start(end, scalar.value(end)[0], verdict, last.step, last.evaluations, failed)


def _result(scalar: Scalar, table: Table, best: Start, ended: tuple[Start, ...], clock: Clock) -> Fit:
    population, problem, x = scalar.population, scalar.problem, best.x
    found = scalar.evaluation(x)
    z = np.asarray(found.z)
    reasons = [] if best.verdict.converged else [f"not converged: {best.verdict.reason}"]
    if best.failed:
        who = ", ".join(str(table.subjects[i]) for i in best.failed[:10])
        who += f" and {len(best.failed) - 10} more" if len(best.failed) > 10 else ""
        reasons.append(f"the objective cannot be computed for {len(best.failed)} subjects: {who}{_kinks(scalar)}")
    if scalar.approximation.method != "fo":
        individual = Individual(population, interaction=True)
        if said := kinks.unheeded(individual, population.packing.values(spread(jnp.asarray(x), problem)), problem):
            reasons.append(said)
    agreeing = sum(one.verdict.converged and one.value <= best.value + _AGREE for one in ended)
    lower = [k for k, one in enumerate(ended, start=1) if one.value < best.value - _AGREE]
    if lower:
        gain = best.value - min(one.value for one in ended)
        who = ", ".join(map(str, lower))
        reasons.append(f"start {who} came {gain:.1f} lower without converging: there is a better optimum elsewhere")
    if len(ended) > 1 and 2 * agreeing < len(ended):
        reasons.append(f"only {agreeing} of {len(ended)} starts end at this optimum")
    read = np.asarray(natural(jnp.asarray(x), population)[0])
    return Fit(
        population=population,
        method=scalar.approximation,
        convention=CONVENTION + (", and -2 log density of the priors" if population.priors else ""),
        converged=best.verdict.converged,
        ofv=best.value,
        penalty=float(population.penalty(jnp.asarray(x))) if population.priors else 0.0,
        x=x,
        z=z,
        estimates=dict(zip(population.summary_names, read.tolist(), strict=True)),
        uncertainty=None,
        etas=individual_effects(population, x, z, problem),
        subject_ofv=np.asarray(found.value),
        eta_shrinkage=eta_shrinkage(population, x, z, problem),
        epsilon_shrinkage=epsilon_shrinkage(population, x, z, problem),
        audit=None,
        starts=ended,
        agreeing=agreeing,
        reasons=tuple(reasons),
        seconds={"estimation": clock.seconds},
        compiling=clock.compiling,
    )
