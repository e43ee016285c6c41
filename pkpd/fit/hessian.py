"""Second derivatives of an objective, exact, in two parts that are compiled on their own."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.engine.compiler import Program
from pkpd.fit.compilation import compiled, handed_on
from pkpd.fit.individual import PerSubject, X, Z, spread, units
from pkpd.fit.mode import Modes
from pkpd.fit.objective import Approximation, begun, objectives, place_of, searched
from pkpd.fit.place import Place
from pkpd.fit.problem import Problem
from pkpd.population.population import Population

AT_ONCE = 16_000_000
"""Numbers that all pairs of directions of a Hessian may work on at once; about eight times as many are in memory, a
GiB. Beyond, differentiating row by row is quicker."""


def hessian(
    x: Float[Array, " parameter"], z: Z, population: Population, approximation: Approximation, problem: Problem
) -> Float[np.ndarray, "parameter parameter"]:
    """Second derivatives of the summed objective, exact, priors not included.

    z: the modes at x, by `evaluate`; with kinks a subject has several, which are searched for. In two parts, each
    compiled on its own: the derivatives of the predictions there, and what the objective makes of them.
    """
    given = (population, approximation, problem)
    known = handed_on(searched(x, *given)) if _kinked(x, *given) else z
    place = handed_on(_placed(x, known, population, approximation, problem))
    found = np.asarray(_second(x, place, approximation)(x, place, population, approximation, problem))
    return 0.5 * (found + found.T)


def ahead(
    x: Float[Array, " parameter"], z: Any, population: Population, approximation: Approximation, problem: Problem
) -> Iterator[Callable[[], object]]:
    """What is to be compiled for `hessian`; of z the shape will do."""
    given = (population, approximation, problem)
    place, compiling = _placed.ahead(x, begun(x, *given) if _kinked(x, *given) else z, *given)
    yield compiling
    yield _second(x, place, approximation).ahead(x, place, population, approximation, problem)[1]


def _kinked(
    x: Float[Array, " parameter"], population: Population, approximation: Approximation, problem: Problem
) -> bool:
    """Whether subjects have several modes, between kinks."""
    return approximation.method != "fo" and begun(x, population, approximation, problem).slab is not None


@compiled("population", "approximation", once=True, short=True)
def _placed(
    x: Float[Array, " parameter"], z: Z | Modes, population: Population, approximation: Approximation, problem: Problem
) -> Place:
    def found(each: tuple[Problem, Z | Modes], x: Float[Array, " parameter"]) -> Place:
        problem, known = each
        return place_of(spread(x, problem), population, approximation, problem, 2, known)

    return problem.by_chunks(found, (problem, z), x)


def _second(x: Float[Array, " parameter"], place: Place, approximation: Approximation) -> Program:
    """What makes second derivatives: of all pairs of parameters at once, or, where that is much, row by row."""
    return _by_rows if _large(x.shape[0], place, approximation) else _by_pairs


def _large(parameters: int, place: Place, approximation: Approximation) -> bool:
    """Whether all pairs of directions at once are more than `AT_ONCE` numbers."""
    if approximation.method == "agq":
        # Its nodes expand the model anew, which is better done once than by rows.
        return False
    pairs = parameters * (parameters + 1) // 2
    # Of all subjects, not of those a machine has at work together: the number of devices changes no result.
    return pairs * max(leaf.size for leaf in jax.tree.leaves(place.near)) * max(place.z.shape[0], 1) > AT_ONCE


@compiled("population", "approximation", once=True)
def _by_pairs(
    x: Float[Array, " parameter"], place: Place, population: Population, approximation: Approximation, problem: Problem
) -> Float[Array, "parameter parameter"]:
    """Twice forwards, by all pairs of parameters at once."""
    n = x.shape[0]
    rows, columns = np.tril_indices(n)

    def curved(each: tuple[Problem, Place], x: Float[Array, " parameter"]) -> Float[Array, "pair subject"]:
        problem, place = each
        every = spread(x, problem)
        along_each = units(every)

        def slope(here: X, unit: X) -> PerSubject:
            def value(s: X) -> PerSubject:
                return objectives(s, place, population, approximation, problem, 2)[0]

            return jax.jvp(value, (here,), (unit,))[1]

        def along(first: X, second: X) -> PerSubject:
            return jax.jvp(lambda s: slope(s, first), (every,), (second,))[1]

        return jax.vmap(along)(along_each[rows], along_each[columns])

    below = problem.by_chunks(curved, (problem, place), x).sum(axis=1)
    return jnp.zeros((n, n)).at[rows, columns].set(below).at[columns, rows].set(below)


@compiled("population", "approximation")
def _by_rows(
    x: Float[Array, " parameter"], place: Place, population: Population, approximation: Approximation, problem: Problem
) -> Float[Array, "parameter parameter"]:
    """The gradient, found backwards, differentiated forwards along one parameter after the other."""

    def curved(
        each: tuple[Problem, Place], x: Float[Array, " parameter"]
    ) -> Float[Array, "parameter parameter subject"]:
        problem, place = each
        every = spread(x, problem)
        slope = jax.grad(lambda s: objectives(s, place, population, approximation, problem, 2)[0].sum())
        return jax.lax.map(lambda unit: jax.jvp(slope, (every,), (unit,))[1], units(every))

    return problem.by_chunks(curved, (problem, place), x).sum(axis=2)
