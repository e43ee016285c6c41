"""Naive pooling and individual fits: a first look, and a source of initial estimates."""

from dataclasses import fields, replace

import numpy as np

from pkpd.fit.objective import Approximation
from pkpd.fit.problem import Problem
from pkpd.fit.scalar import Scalar, Vector
from pkpd.fit.shrinkage import individual_effects
from pkpd.population.expression import Expression
from pkpd.population.individual import Random
from pkpd.population.population import Population


def pooled(population: Population) -> Population:
    """The same population in which nobody differs from anybody: fitting it is the naive pooled analysis.

    Every random effect is 0. Priors on what is no longer there are left out with it.
    """
    parameters = {name: _typical(one) for name, one in population.expressions.items()}
    residual = {}
    for endpoint, model in population.residuals.items():
        written = population.residual_expressions[endpoint]
        held = {label: _typical(one) for label, one in written.items() if hasattr(model.scale, label)}
        residual[endpoint] = replace(model, scale=replace(model.scale, **held)) if held else model
    priors = {name: prior for name, prior in population.priors.items() if name in population.thetas}
    return Population(parameters, residual, priors=priors)


def individual_estimates(population: Population, problem: Problem, x: Vector) -> dict[str, np.ndarray]:
    """The most likely random effects of each subject where the population's parameters are those of `x` (MAP)."""
    found = Scalar(population, Approximation("laplace"), problem).evaluation(x)
    return individual_effects(population, x, np.asarray(found.z), problem)


def _typical(expression: Expression) -> Expression:
    """An expression with its random effects at 0, where each kind of them leaves the typical value."""
    if isinstance(expression, Random):
        return expression.typical
    changed = {
        one.name: _typical(part)
        for one in fields(expression)  # type: ignore[arg-type]
        if isinstance(part := getattr(expression, one.name), Expression)
    }
    return replace(expression, **changed) if changed else expression  # type: ignore[type-var]
