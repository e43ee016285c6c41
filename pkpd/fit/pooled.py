"""Naive pooling and individual fits: a first look, and a source of initial estimates."""

from dataclasses import replace

import numpy as np

from pkpd.fit.objective import Approximation
from pkpd.fit.problem import Problem
from pkpd.fit.scalar import Scalar, Vector
from pkpd.fit.shrinkage import individual_effects
from pkpd.population.expression import Expression
from pkpd.population.individual import Random
from pkpd.population.population import Population
from pkpd.population.rewritten import rewritten_parameters, rewritten_residual


def pooled(population: Population) -> Population:
    """The same population in which nobody differs from anybody: fitting it is the naive pooled analysis.

    Every random effect is 0. Priors on what is no longer there are left out with it.
    """
    alike = Population(rewritten_parameters(population, _typical), rewritten_residual(population, _typical))
    return replace(alike, priors={name: one for name, one in population.priors.items() if name in alike.thetas})


def individual_estimates(population: Population, problem: Problem, x: Vector) -> dict[str, np.ndarray]:
    """The most likely random effects of each subject where the population's parameters are those of `x` (MAP)."""
    found = Scalar(population, Approximation("laplace"), problem).evaluation(x)
    return individual_effects(population, x, np.asarray(found.z), problem)


def _typical(part: Expression) -> Expression:
    """A random effect at 0, where each kind of them leaves the typical value."""
    return part.typical if isinstance(part, Random) else part
