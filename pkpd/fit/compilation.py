"""Which functions of a fit are compiled quickly: those with little to do."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from pkpd.engine.compiler import jitted
from pkpd.fit.problem import Problem
from pkpd.population.population import Population

LITTLE = 5_000
"""Rows of observations times the square of the number of parameters that move: the derivatives of the predictions."""

LITTLE_FOR_ONCE = 200_000
"""The same for what a fit does once."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(*static: str, once: bool = False) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """`jax.jit` with the arguments `static`, for functions of a population (or an individual) and a problem.

    once: whether a fit calls it once.
    """
    most = LITTLE_FOR_ONCE if once else LITTLE

    def little(*given: Any) -> bool:
        return _work(given) <= most

    return jitted(*static, little=little)


def _work(given: tuple[Any, ...]) -> float:
    """How much there is to do."""
    problem = next(one for one in given if isinstance(one, Problem))
    # An `Individual` has its population.
    owners = (getattr(one, "population", one) for one in given)
    population = next(one for one in owners if isinstance(one, Population))
    rows = max(one.value.size for one in problem.observations.values())
    return float(rows * len(population.moving) ** 2)
