"""Compiled well where there is much to do, quickly where there is little.

With the data of a dozen subjects compiling takes a hundred times as long as running does, and more than half of it goes
into making the code fast.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import jax
from jax.core import Tracer

from pkpd.fit.problem import Problem
from pkpd.population.population import Population

LITTLE = 5_000
"""Rows of observations times the square of the number of parameters that move: the derivatives of the predictions."""

LITTLE_FOR_ONCE = 200_000
"""The same for what a fit does once."""

_QUICKLY = {"xla_backend_optimization_level": 0}

_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(*static: str, once: bool = False) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """`jax.jit` with the arguments `static`, for functions of a population (or an individual) and a problem.

    once: whether a fit calls it once. Numbers differ by rounding between the two ways; which one is taken depends on
    the shapes only.
    """
    little = LITTLE_FOR_ONCE if once else LITTLE

    def made(function: Callable[_P, _R]) -> Callable[_P, _R]:
        well: Any = jax.jit(function, static_argnames=static)
        quickly: Any = jax.jit(function, static_argnames=static, compiler_options=_QUICKLY)

        @wraps(function)
        def called(*given: _P.args, **named: _P.kwargs) -> _R:
            return (quickly if _work(given) <= little else well)(*given, **named)

        return called

    return made


def _work(given: tuple[Any, ...]) -> float:
    """How much there is to do; beyond all bounds while JAX traces, when all becomes part of something larger."""
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(given)):
        return float("inf")
    problem = next(one for one in given if isinstance(one, Problem))
    # An `Individual` has its population.
    owners = (getattr(one, "population", one) for one in given)
    population = next(one for one in owners if isinstance(one, Population))
    rows = max(one.value.size for one in problem.observations.values())
    return float(rows * len(population.moving) ** 2)
