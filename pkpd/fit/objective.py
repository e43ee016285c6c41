"""Objective functions: -2 log L without n log(2 pi), NONMEM's convention, by one approximation or another.

n counts the measured observations with a normal error; censored ones, other densities, and priors keep their
constants.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from math import log, pi
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from pkpd.errors import InputError
from pkpd.fit import arrow, dense
from pkpd.fit.compilation import compiled, handed_on
from pkpd.fit.individual import Individual, PerSubject, Values, X, Z, spread
from pkpd.fit.mode import Modes, Place, mode_at, modes, placed
from pkpd.fit.problem import Problem
from pkpd.population.population import Population

CONVENTION = "-2 log L without n log(2 pi), n the measured observations with a normal error (NONMEM's convention)"


@dataclass(frozen=True)
class Approximation:
    """How the integral over the random effects is approximated.

    | method | the integral |
    |---|---|
    | fo | of the model linearised at eta = 0 |
    | foce | of the model linearised at the mode, the error's scale that at eta = 0 |
    | focei | the same with the scale at the mode (interaction), curvature without second derivatives |
    | laplace | of the parabola with the exact curvature at the mode |
    | agq | by `nodes` Gauss-Hermite nodes for each random effect, laid at the mode |

    Wang 2007, doi:10.1007/s10928-007-9060-6; Pinheiro and Bates 1995, doi:10.1080/10618600.1995.10474663.
    """

    method: str
    nodes: int = 1

    def __post_init__(self) -> None:
        if self.method not in ("fo", "foce", "focei", "laplace", "agq"):
            raise InputError(f"method '{self.method}' is not known; there are fo, foce, focei, laplace and agq")
        if (self.method == "agq") != (self.nodes > 1):
            raise InputError(
                f"method '{self.method}' with nodes {self.nodes}: nodes are for agq, which needs more than one: "
                "method = 'agq', nodes = 5 (--method agq --nodes 5)"
            )

    def interaction(self, population: Population) -> bool:
        """Whether the scale of the error is that at the mode; where no random effect moves it, it is anyway."""
        return self.method in ("focei", "laplace", "agq") or not population.interacting

    def check(self, population: Population) -> None:
        """Raise `InputError` where this cannot be done for `population`."""
        if self.method == "agq" and population.shared is not None:
            raise InputError(
                "agq integrates over each subject on its own, and those of a site share random effects: take laplace"
            )


class Evaluation(NamedTuple):
    """The objective of each subject, its derivatives in x, modes, whiteners of the exact curvature there (0 where the
    modes are not searched for, as in fo), which have failed, steps of the inner search of each one's chunk."""

    value: Float[Array, " subject"]
    score: Float[Array, "parameter subject"]
    z: Float[Array, "effect subject"]
    w: Float[Array, "effect effect subject"]
    failed: Bool[Array, " subject"]
    steps: Int[Array, " subject"]


def _searches(population: Population, approximation: Approximation, problem: Problem) -> bool:
    """Whether the objective is expanded at modes."""
    return approximation.method != "fo" and _individual(population, approximation).effects(problem) > 0


def place_of(
    x: X, population: Population, approximation: Approximation, problem: Problem, order: int, begin: Modes | Z | None
) -> Place:
    """Where the objective is expanded to be differentiated `order` times: at the modes, or at z = 0.

    `begin`: where the search for the modes ended, or the modes themselves; of no meaning where there is none.
    """
    individual = _individual(population, approximation)
    values = population.packing.values(x)
    effects = individual.effects(problem)
    if begin is None or not _searches(population, approximation, problem):
        zero = jnp.zeros((effects, problem.subjects))
        near = individual.near(values, zero, problem, order + min(effects, 1), order)
        none = jnp.zeros(problem.subjects, bool)
        return Place(zero, jnp.zeros((effects, *zero.shape)), near, None, none, none.astype(int))
    gauss_newton = approximation.method in ("foce", "focei")
    return placed(individual, values, problem, order, order + (1 if gauss_newton else 2), begin)


def objectives(
    x: X, place: Place, population: Population, approximation: Approximation, problem: Problem, order: int
) -> tuple[PerSubject, Z]:
    """The objective of each subject, and its modes; may be differentiated `order` times at the x of `place`.

    That of a site, whose subjects share random effects, is the sum over them: how it is split has no meaning.
    """
    individual = _individual(population, approximation)
    own, sharing = individual.own(problem), problem.sharing
    values = population.packing.values(x)
    near = place.near
    if individual.effects(problem) == 0:
        # Nobody differs from anybody: naive pooling, whatever the method is.
        return 2.0 * individual.loss(values, place.z, None, near) - problem.constant, place.z
    if approximation.method == "fo":
        value, z = _first_order(individual, values, place)
        return value - problem.constant, z
    z, centre = mode_at(individual, values, place, order)
    if approximation.method in ("foce", "focei"):
        loss, _, curvature = individual.expanded(values, z, centre, near)
    else:
        loss, curvature = individual.loss(values, z, centre, near), individual.hessian(values, z, centre, near)
    w = arrow.whitener(curvature, own, sharing)
    if approximation.method == "agq":
        value = _quadrature(individual, values, z, w, approximation.nodes, problem, order)
    else:
        value = 2.0 * loss + arrow.log_determinant(w, own, sharing)
    return value - problem.constant, z


def _individual(population: Population, approximation: Approximation) -> Individual:
    return Individual(population, approximation.interaction(population))


def evaluate(
    x: Float[Array, " parameter"], population: Population, approximation: Approximation, problem: Problem
) -> Evaluation:
    """The objective of each subject and its derivatives, priors not included.

    In two parts, each compiled on its own: the search for the modes, which is a long loop and compiled well, and what
    the objective makes of them.
    """
    given, begin = (population, approximation, problem), None
    if _searches(*given):
        begin = handed_on(_modes(x, *given))
    return _evaluated(x, begin, *given)


def ahead(
    x: Float[Array, " parameter"], population: Population, approximation: Approximation, problem: Problem
) -> Generator[Callable[[], object], None, Evaluation]:
    """What is to be compiled for `evaluate`, what takes longest first; returns the shapes of what it finds."""
    given, begin = (population, approximation, problem), None
    if _searches(*given):
        n, subjects = _individual(population, approximation).effects(problem), problem.subjects
        begin = jax.eval_shape(
            lambda: Modes(jnp.zeros((n, subjects)), jnp.zeros(subjects, bool), jnp.zeros(subjects, int))
        )
    found, compiling = _evaluated.ahead(x, begin, *given)
    yield compiling
    if begin is not None:
        yield _modes.ahead(x, *given)[1]
    return found


@compiled("population", "approximation", long=True)
def _modes(
    x: Float[Array, " parameter"], population: Population, approximation: Approximation, problem: Problem
) -> Modes:
    individual = _individual(population, approximation)

    def found(problem: Problem, x: Float[Array, " parameter"]) -> Modes:
        values = population.packing.values(spread(x, problem))
        return modes(individual, values, individual.centre(values, problem), problem)

    return problem.by_chunks(found, problem, x)


@compiled("population", "approximation")
def _evaluated(
    x: Float[Array, " parameter"],
    begin: Modes | None,
    population: Population,
    approximation: Approximation,
    problem: Problem,
) -> Evaluation:
    def evaluated(each: tuple[Problem, Modes | None], x: Float[Array, " parameter"]) -> Evaluation:
        problem, begin = each
        every = spread(x, problem)
        place = place_of(every, population, approximation, problem, 1, begin)

        def total(x: X) -> tuple[Array, tuple]:
            value, z = objectives(x, place, population, approximation, problem, 1)
            return value.sum(), (value, z)

        (_, (value, z)), score = jax.value_and_grad(total, has_aux=True)(every)
        return Evaluation(value, score, z, place.w, place.failed | ~jnp.isfinite(value), place.steps)

    return problem.by_chunks(evaluated, (problem, begin), x)


def _first_order(individual: Individual, values: Values, place: Place) -> tuple[PerSubject, Z]:
    """-2 log density of y ~ N(f(0) + J z, s^2), by completing the square in z; and the z where it is largest."""
    centre = individual.centre(values, place.near)
    loss, gradient, curvature = individual.expanded(values, place.z, centre, place.near)
    own, sharing = individual.own(place.near), place.near.sharing
    w = arrow.whitener(curvature, own, sharing)
    step = arrow.whitened(w, gradient, own, sharing)
    value = 2.0 * loss - arrow.squared(step, own, sharing) + arrow.log_determinant(w, own, sharing)
    return value, -dense.applied(dense.transposed(w), step)


def _quadrature(
    individual: Individual,
    values: Values,
    z: Z,
    w: Float[Array, "effect effect subject"],
    nodes: int,
    problem: Problem,
    order: int,
) -> PerSubject:
    """-2 log of the integral of exp(-F) over z, by nodes z + sqrt(2) C u, C C' the inverse curvature at the mode.

    The nodes of the first random effect are walked through one after the other, those of the others at once.
    """
    n = z.shape[0]
    u, weight = np.polynomial.hermite.hermgauss(nodes)
    log_weight = np.log(weight) + u**2
    grids = np.meshgrid(*[np.arange(nodes)] * (n - 1), indexing="ij") if n > 1 else []
    rest = np.stack([grid.ravel() for grid in grids]) if n > 1 else np.zeros((0, 1), int)

    def at(point: Array) -> PerSubject:
        placed = jnp.broadcast_to(point[:, None], z.shape)
        moved = z + jnp.sqrt(2.0) * dense.applied(dense.transposed(w), placed)
        return -individual.loss(values, moved, None, individual.near(values, moved, problem, order, order))

    @jax.checkpoint
    def slice_of(first: Float[Array, ""], log_first: Float[Array, ""]) -> PerSubject:
        points = jnp.concatenate([jnp.broadcast_to(first, (1, rest.shape[1])), jnp.asarray(u[rest])])
        logs = jax.vmap(at, in_axes=1)(points) + jnp.asarray(log_weight[rest].sum(axis=0))[:, None]
        return jax.nn.logsumexp(logs, axis=0) + log_first

    slices = jax.lax.map(lambda pair: slice_of(*pair), (jnp.asarray(u), jnp.asarray(log_weight)))
    return -2.0 * jax.nn.logsumexp(slices, axis=0) + dense.log_determinant(w) + n * log(pi)
