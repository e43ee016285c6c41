"""Which functions of a fit are compiled quickly, or not at all: those with little to do."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np

from pkpd.engine.compiler import Program, jitted
from pkpd.fit.problem import Problem
from pkpd.population.population import Population

LITTLE = 5_000
"""Rows of observations times the square of the number of parameters that move: the derivatives of the predictions; and
times the nodes of a quadrature."""

LITTLE_AND_SHORT = 200_000
"""The same for what runs for a short time only, and once or twice; not where predictions are integrated: of what takes
long a third is much."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(
    *static: str, once: bool = False, short: bool = False, long: bool = False
) -> Callable[[Callable[_P, _R]], Program[_P, _R]]:
    """`jax.jit` with the arguments `static`, for functions of a population (or an individual) and a problem.

    once: whether a fit calls it once or twice: with little to do it is walked through, not compiled (see
    `pkpd.engine.interpreted`). short: whether it runs for a short time beside what compiling it takes. long:
    whether it goes through a loop that is long however little the data are: it is compiled well.
    """

    def little(*given: Any) -> bool:
        return not long and _work(given) <= (LITTLE_AND_SHORT if short and not _problem(given).integrated else LITTLE)

    def walked(*given: Any) -> bool:
        return once and _work(given) <= LITTLE

    return jitted(*static, little=little, walked=walked)


def handed_on(found: _R) -> _R:
    """What a program finds, for the next: as NumPy's arrays, however it was found. For these, and no others, the next
    was compiled ahead, by shapes alone."""
    return jax.tree.map(np.asarray, found)


def _work(given: tuple[Any, ...]) -> float:
    """How much there is to do."""
    # An `Individual` has its population.
    owners = (getattr(one, "population", one) for one in given)
    population = next(one for one in owners if isinstance(one, Population))
    problem = _problem(given)
    rows = max(one.value.size for one in problem.observations.values())
    # Only an `Approximation` has nodes, so many for each random effect.
    nodes = max(getattr(one, "nodes", 1) for one in given)
    return float(rows * len(population.moving) ** 2) * nodes ** len(population.effects(problem.occasion_count))


def _problem(given: tuple[Any, ...]) -> Problem:
    return next(one for one in given if isinstance(one, Problem))
