"""Objective functions: -2 log L without n log(2 pi), NONMEM's convention, by one approximation or another.

n counts the measured observations with a normal error; censored ones, other densities, and priors keep their
constants.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from pkpd.errors import InputError
from pkpd.fit import arrow, dense, kinks
from pkpd.fit.compilation import compiled, handed_on
from pkpd.fit.individual import Individual, PerSubject, Values, X, Z, spread
from pkpd.fit.kinks import Held
from pkpd.fit.mode import Modes, modes
from pkpd.fit.place import Place, lowest_at, mode_at, placed
from pkpd.fit.problem import Problem
from pkpd.fit.quadrature import quadrature
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


class Parts(NamedTuple):
    """What is known of each slab between kinks: its lowest z, the whitener there, the logarithm of what it adds."""

    z: Float[Array, "effect slab subject"]
    w: Float[Array, "effect effect slab subject"]
    log: Float[Array, "slab subject"]


class Evaluation(NamedTuple):
    """The objective of each subject, its derivatives in x, modes, whiteners of the exact curvature there (0 where the
    modes are not searched for, as in fo), which have failed, steps of the inner search of each one's chunk; the parts
    of each subject between kinks, if there are any."""

    value: Float[Array, " subject"]
    score: Float[Array, "parameter subject"]
    z: Float[Array, "effect subject"]
    w: Float[Array, "effect effect subject"]
    failed: Bool[Array, " subject"]
    steps: Int[Array, " subject"]
    parts: Parts | None = None


class Lowest(NamedTuple):
    """The most likely z of each subject, and a whitener of the curvature there; with kinks, those of every slab, and
    the logarithm of what each adds."""

    z: Z
    w: Float[Array, "effect effect subject"]
    parts: Parts | None = None


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
    gauss_newton, count = approximation.method in ("foce", "focei"), kinks.parts(individual, values, problem)
    wide, columns, begin = kinks.beside(values, count), kinks.beside(problem, count), kinks.unfolded(begin, count)
    found = placed(individual, wide, columns, order, order + (1 if gauss_newton else 2), begin)
    return kinks.folded(found, count)


def objectives(
    x: X, place: Place, population: Population, approximation: Approximation, problem: Problem, order: int
) -> tuple[PerSubject, Lowest]:
    """The objective of each subject, and its modes; may be differentiated `order` times at the x of `place`.

    That of a site, whose subjects share random effects, is the sum over them: how it is split has no meaning.
    """
    individual = _individual(population, approximation)
    own, sharing = individual.own(problem), problem.sharing
    values = population.packing.values(x)
    near = place.near
    if individual.effects(problem) == 0:
        # Nobody differs from anybody: naive pooling, whatever the method is.
        return 2.0 * individual.loss(values, place.z, None, near) - problem.constant, Lowest(place.z, place.w)
    if approximation.method == "fo":
        value, z = _first_order(individual, values, place)
        return value - problem.constant, Lowest(z, place.w)
    if place.held is not None:
        value, lowest = _by_slabs(individual, values, place, place.held, approximation, problem, order)
        return value - problem.constant, lowest
    z, centre = mode_at(individual, values, place, order)
    if approximation.method in ("foce", "focei"):
        loss, _, curvature = individual.expanded(values, z, centre, near)
    else:
        loss, curvature = individual.loss(values, z, centre, near), individual.hessian(values, z, centre, near)
    w = arrow.whitener(curvature, own, sharing)
    if approximation.method == "agq":
        value = quadrature(individual, values, z, w, approximation.nodes, problem, order)
    else:
        value = 2.0 * loss + arrow.log_determinant(w, own, sharing)
    return value - problem.constant, Lowest(z, place.w)


def _by_slabs(
    individual: Individual,
    values: Values,
    place: Place,
    held: Held,
    approximation: Approximation,
    problem: Problem,
    order: int,
) -> tuple[PerSubject, Lowest]:
    """The objective from what each slab adds (see `pkpd.fit.kinks`); agq lays its nodes in the slab with the lowest F.

    On an edge the exact curvature may be negative across it; there that of Gauss and Newton is taken.
    """
    count = place.z.shape[-2]
    (place, held), wide = kinks.unfolded((place, held), count), kinks.beside(values, count)
    z, multiplier, centre = lowest_at(individual, wide, place, held, order)
    loss, _, curvature = individual.expanded(wide, z, centre, place.near)
    if approximation.method in ("laplace", "agq"):
        exact = individual.hessian(wide, z, centre, place.near)
        curvature = jnp.where(held.which > 0, curvature, exact)
    w = dense.whitener(curvature)
    surface = kinks.Surface(individual, wide, place.near)
    a = surface.normal(z)
    variance = (dense.applied(w, a) ** 2).sum(axis=0)
    share = kinks.log_share(surface.at(z), multiplier, variance, held.slab)
    log = jnp.where(held.slab.counts, -loss - 0.5 * dense.log_determinant(w) + share, -jnp.inf)
    parts = kinks.folded(Parts(z, w, log), count)
    best = jnp.where(held.slab.counts, loss, jnp.inf).reshape(count, -1).argmin(axis=0)
    z, w = kinks.chosen((parts.z, parts.w), best)
    if approximation.method == "agq":
        value = quadrature(individual, values, z, w, approximation.nodes, problem, order)
    else:
        value = -2.0 * jax.nn.logsumexp(parts.log, axis=0)
    return value, Lowest(z, w, parts)


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
        begin = handed_on(searched(x, *given))
    return _evaluated(x, begin, *given)


def ahead(
    x: Float[Array, " parameter"], population: Population, approximation: Approximation, problem: Problem
) -> Generator[Callable[[], object], None, Evaluation]:
    """What is to be compiled for `evaluate`, what takes longest first; returns the shapes of what it finds."""
    given, begin = (population, approximation, problem), None
    if _searches(*given):
        begin = begun(x, *given)
    found, compiling = _evaluated.ahead(x, begin, *given)
    yield compiling
    if begin is not None:
        yield searched.ahead(x, *given)[1]
    return found


def begun(x: Array, population: Population, approximation: Approximation, problem: Problem) -> Modes:
    """What `searched` finds, as far as its shapes go."""
    individual = _individual(population, approximation)

    def shaped() -> Modes:
        count = kinks.parts(individual, population.packing.values(spread(x, problem)), problem)
        number = jnp.zeros((count, problem.subjects) if count > 1 else problem.subjects)
        z, yes = jnp.zeros((individual.effects(problem), *number.shape)), jnp.isfinite(number)
        return Modes(z, number, yes, number.astype(int), kinks.Slab(number, number, yes) if count > 1 else None)

    return jax.eval_shape(shaped)


@compiled("population", "approximation", long=True)
def searched(
    x: Float[Array, " parameter"], population: Population, approximation: Approximation, problem: Problem
) -> Modes:
    individual = _individual(population, approximation)

    def of_chunk(problem: Problem, x: Float[Array, " parameter"]) -> Modes:
        values = population.packing.values(spread(x, problem))
        centre, count = individual.centre(values, problem), kinks.parts(individual, values, problem)
        if count == 1:
            return modes(individual, values, centre, problem)
        slab = kinks.slabs(individual, values, problem, count)
        wide, columns = kinks.beside((values, centre), count), kinks.beside(problem, count)
        found, slab = kinks.folded((modes(individual, *wide, columns, slab), slab), count)
        found, slab = kinks.weighed(found._replace(slab=None), found.value, slab)
        return found._replace(slab=slab)

    return problem.by_chunks(of_chunk, problem, x)


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

        def total(x: X) -> tuple[Array, tuple[PerSubject, Lowest]]:
            value, lowest = objectives(x, place, population, approximation, problem, 1)
            return value.sum(), (value, lowest)

        (_, (value, lowest)), score = jax.value_and_grad(total, has_aux=True)(every)
        failed, steps = place.failed, place.steps
        if place.held is not None:
            failed, steps = (failed & place.held.slab.counts).any(axis=0), steps.max(axis=0)
        return Evaluation(value, score, lowest.z, lowest.w, failed | ~jnp.isfinite(value), steps, lowest.parts)

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
