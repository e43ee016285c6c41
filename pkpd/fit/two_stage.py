"""The standard two-stage analysis: each subject on its own, then mean and covariance over the subjects.

First stage: every random effect gets a prior `width` times as wide as its initial SD, centred at the initial typical
value, which is held; the modes are the individual estimates. A prior that wide says next to nothing: an estimate with
standard error s is drawn to the centre by the share s^2/(s^2 + width^2 sd^2) of its distance. What all subjects have
in common, the residual error above all, is estimated by Laplace's approximation of the integral over the random
effects; its variance is then the sum of squares over observations less individual parameters, as in REML.

Second stage: the typical values moved by the mean of the random effects, and the sample covariance of these, divided
by n - 1. The errors of the individual estimates are in that covariance, which is therefore too large, and the more so
the fewer observations a subject has.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from pkpd.errors import InputError
from pkpd.fit.fit import Fit, estimated
from pkpd.fit.individual import Individual, spread
from pkpd.fit.problem import Problem, Table
from pkpd.fit.scalar import Scalar
from pkpd.population.centre import centres, moved
from pkpd.population.expression import Expression, Theta
from pkpd.population.individual import Random
from pkpd.population.population import Population
from pkpd.population.restarted import restarted, spread_by
from pkpd.population.rewritten import rewritten_parameters, rewritten_residual

WIDTH = 10.0
"""SD of the first stage's prior, in initial SDs of the random effect."""

OWED = 0.1
"""Share of an individual estimate that may be owed to the prior; a subject that owes more has none of its own."""


@dataclass(frozen=True)
class TwoStage:
    """What a two-stage analysis found.

    `given`: the population it began with. `parameters`: of the model, `[subject]`, or `[record, subject]` where
    covariates change them; `etas`, `se`: each random effect and its standard error, from the curvature of the
    individual fit. NaN for the subjects in `failed` (why, by subject), which count for nothing else either. `typical`:
    fixed effects on their natural scale; `held`: those that stayed at their initial values though not fixed, such as
    effects of covariates. `sd`, `correlation`: of the random effects, in the same order. `residual`: parameters of the
    error models. `reasons`: why the numbers are not to be trusted, if so.
    """

    given: Population
    subjects: Sequence[Any]
    parameters: dict[str, np.ndarray]
    etas: dict[str, Float[np.ndarray, " subject"]]
    se: dict[str, Float[np.ndarray, " subject"]]
    failed: dict[Any, str]
    typical: dict[str, float]
    held: tuple[str, ...]
    sd: dict[str, float]
    correlation: Float[np.ndarray, "effect effect"]
    residual: dict[str, float]
    reasons: tuple[str, ...]

    @property
    def population(self) -> Population:
        """The population that was given, with these as initial estimates. What it has fixed stays, and so do
        correlations that it does not have.

        Raises `InputError` where a mean lies beyond the bounds of its theta.
        """
        sd = np.array(list(self.sd.values()))
        return restarted(
            self.given, self.typical | self.residual, tuple(self.sd), self.correlation * sd[:, None] * sd[None]
        )


def two_stage(population: Population, problem: Problem, table: Table, *, width: float = WIDTH) -> TwoStage:
    """The standard two-stage analysis of `problem`, which is made of `population` and `table`.

    `width`: of the first stage's prior. Priors on typical values and Omega are not used. A parameter without a random
    effect has one value for all subjects, estimated with the residual error.

    Raises `InputError` where something varies between occasions or sites, or the residual error between subjects;
    where no mean can move a typical value; where fewer than two subjects have an estimate of their own.
    """
    _refuse(population)
    # SDs of the priors; what is fixed at 0 does not vary.
    priors = {one.name: width * one.spread.initial for one in centres(population).values() if one.spread is not None}
    priors = {effect: sd for effect, sd in priors.items() if sd > 0}
    alone = _each_alone(population, priors)
    first, seen = _first_stage(alone, problem, table)
    failed: dict[Any, str] = {}
    while True:
        # The whitener of the curvature: of a prior variance of 1, what the observations leave.
        w = np.asarray(Scalar(alone, first.method, seen).evaluation(first.x).w)
        left = dict(zip(alone.between.effects, (w**2).sum(axis=0), strict=True))
        left = {effect: left[effect] for effect in priors}
        failed = _failed(left, seen, table) | failed
        vague = np.array([subject in failed for subject in table.subjects]) & _observed(seen)
        if not vague.any() or len(table.subjects) - len(failed) < 2:
            break
        # Who has no estimate of its own counts for nothing in what all have in common, either.
        first, seen = _first_stage(alone, _without(seen, vague), table)
    kept = np.array([subject not in failed for subject in table.subjects])
    if kept.sum() < 2:
        told = "; ".join(f"subject {subject}: {why}" for subject, why in list(failed.items())[:10])
        raise InputError(
            f"{kept.sum()} subjects have an estimate of their own, and a mean with an SD needs two ({told}); fit all "
            "together, by focei"
        )
    etas = {effect: np.where(kept, first.etas[effect], np.nan) for effect in priors}
    values = alone.packing.values(spread(jnp.asarray(first.x), seen))
    parameters = Individual(alone, interaction=True).parameters(values, jnp.asarray(first.z), seen)
    covariance = np.atleast_2d(np.cov([eta[kept] for eta in etas.values()], ddof=1))
    sd = np.sqrt(np.diag(covariance))
    known = moved(population, {effect: float(eta[kept].mean()) for effect, eta in etas.items()})
    known |= {name: first.estimates[name] for name in alone.packing.names}
    thetas = {name: known.get(name, float(theta.initial)) for name, theta in population.thetas.items()}
    errors = {
        part.name
        for ones in population.residual_expressions.values()
        for one in ones.values()
        for part in one.walk()
        if isinstance(part, Theta)
    }
    return TwoStage(
        given=population,
        subjects=table.subjects,
        parameters={name: np.where(kept, np.asarray(one), np.nan) for name, one in parameters.items()},
        etas=etas,
        se={effect: np.where(kept, np.sqrt(left[effect]) * prior, np.nan) for effect, prior in priors.items()},
        failed=failed,
        typical={name: value for name, value in thetas.items() if name not in errors},
        held=tuple(name for name, theta in population.thetas.items() if not theta.fixed and name not in known),
        sd=dict(zip(priors, sd.tolist(), strict=True)),
        correlation=covariance / (sd[:, None] * sd[None]),
        residual={name: value for name, value in thetas.items() if name in errors},
        reasons=first.reasons,
    )


def _refuse(population: Population) -> None:
    if population.within is not None:
        raise InputError("something varies between occasions, which a two-stage analysis does not know; take focei")
    if population.shared is not None:
        raise InputError("something varies between sites, whose subjects are not on their own; take focei")
    for endpoint, ones in population.residual_expressions.items():
        if any(isinstance(part, Random) for one in ones.values() for part in one.walk()):
            raise InputError(
                f"the residual error of '{endpoint}' varies between subjects, and a two-stage analysis has one for all"
            )
    if not population.between.effects:
        raise InputError("nothing varies between subjects; `fit` is the naive pooled analysis then")


def _each_alone(population: Population, priors: dict[str, float]) -> Population:
    """The population of the first stage: nearly flat priors, and only what all have in common is estimated."""
    held = {
        part.name
        for one in population.expressions.values()
        if any(isinstance(part, Random) for part in one.walk())
        for part in one.walk()
        if isinstance(part, Theta)
    }
    common = {name for name, theta in population.thetas.items() if not theta.fixed and name not in held}
    if not common:
        raise InputError("the residual error is fixed, and a two-stage analysis estimates it; give it as initial only")

    def change(part: Expression) -> Expression:
        if isinstance(part, Theta) and part.name in held:
            return replace(part, fixed=True)
        if isinstance(part, Random) and part.name in priors:
            return spread_by(part, Theta(priors[part.name], fixed=True))
        return part

    return Population(
        rewritten_parameters(population, change),
        rewritten_residual(population, change),
        priors={name: prior for name, prior in population.priors.items() if name in common},
    )


def _first_stage(alone: Population, problem: Problem, table: Table) -> tuple[Fit, Problem]:
    """The individual fits; and the problem without the observations of subjects whose own one fails."""
    out: set[int] = set()
    while True:
        found = estimated(alone, problem, table, method="laplace")
        failed = set(found.starts[0].failed)
        if not failed:
            return found, problem
        if failed <= out:
            who = ", ".join(str(table.subjects[i]) for i in sorted(failed))
            raise InputError(f"the model cannot be evaluated at the initial estimates in {who}; leave them out")
        out |= failed
        problem = _without(problem, np.isin(np.arange(problem.subjects), list(out)))


def _without(problem: Problem, who: Bool[np.ndarray, " subject"]) -> Problem:
    """`problem` as if nothing had been observed in these subjects."""
    observations = {
        name: replace(one, scored=one.scored & ~jnp.asarray(who)[None]) for name, one in problem.observations.items()
    }
    return replace(problem, observations=observations, constant=jnp.where(jnp.asarray(who), 0.0, problem.constant))


def _observed(problem: Problem) -> Bool[np.ndarray, " subject"]:
    """In whom anything was observed."""
    return np.any([np.asarray(one.scored).any(axis=0) for one in problem.observations.values()], axis=0)


def _failed(left: dict[str, Float[np.ndarray, " subject"]], seen: Problem, table: Table) -> dict[Any, str]:
    """Why a subject has no estimate of its own, of those that have none."""
    observed, found = _observed(seen), {}
    for i, subject in enumerate(table.subjects):
        vague = [effect for effect, share in left.items() if not share[i] <= OWED]
        if not (table.endpoint[:, i] != "").any():
            found[subject] = "it has no observations"
        elif not observed[i]:
            found[subject] = "its individual fit fails"
        elif vague:
            found[subject] = f"its observations say too little of {', '.join(vague)}"
    return found
