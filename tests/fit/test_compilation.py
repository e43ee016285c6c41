"""What of a fit is compiled quickly: what has little to do, by sizes alone."""

from dataclasses import replace

import jax.numpy as jnp
from closed_forms import wang

from pkpd.fit import importance, objective
from pkpd.fit.compilation import LITTLE, LITTLE_AND_SHORT, compiled
from pkpd.fit.objective import Approximation
from pkpd.fit.problem import Problem

POPULATION, PROBLEM = wang("additive")
"""Ten subjects, two observations each, one random effect."""


def sized(problem: Problem, rows: int) -> Problem:
    """The same with so many rows of observations; of their sizes only is anything asked."""
    seen = {name: replace(one, value=jnp.zeros((rows, 1))) for name, one in problem.observations.items()}
    return replace(problem, observations=seen)


def quick(program: object, approximation: Approximation, problem: Problem = PROBLEM) -> bool:
    return program._little(POPULATION, approximation, problem)  # type: ignore[attr-defined]


def test_nodes_of_a_quadrature_are_much_to_do() -> None:
    assert quick(objective._evaluated, Approximation("laplace"))
    assert quick(objective._evaluated, Approximation("agq", 3))
    assert not quick(objective._evaluated, Approximation("agq", 1000))


def test_long_loops_are_compiled_well_however_little_there_is() -> None:
    assert not quick(objective.searched, Approximation("focei"))
    assert not quick(importance._log_weights, Approximation("focei"))


def test_what_is_short_may_be_more_unless_it_is_integrated() -> None:
    ordinary, short = (compiled("population", short=short)(lambda *_: None) for short in (False, True))
    little, much, vast = (sized(PROBLEM, rows) for rows in (LITTLE, LITTLE_AND_SHORT, LITTLE_AND_SHORT + 1))
    focei = Approximation("focei")
    assert [quick(ordinary, focei, one) for one in (little, much, vast)] == [True, False, False]
    assert [quick(short, focei, one) for one in (little, much, vast)] == [True, True, False]
    integrated = [replace(one, integrated=True) for one in (little, much)]
    assert [quick(short, focei, one) for one in integrated] == [True, False]
