"""The objective as one number of the packed parameters: what an outer optimiser sees."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.engine.compiler import jitted
from pkpd.fit.hessian import hessian
from pkpd.fit.objective import Approximation, Evaluation, evaluate
from pkpd.fit.problem import Problem
from pkpd.population.population import Population

Vector = Float[np.ndarray, " parameter"]


@dataclass(frozen=True)
class Scalar:
    """Population, data and approximation as a function of x.

    Raises `InputError` where the approximation is not for this population. A subject that fails makes the value
    infinite, whatever the others are, so that no optimiser takes it for good.
    """

    population: Population
    approximation: Approximation
    problem: Problem
    _last: dict[bytes, Evaluation] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The last evaluation: where an estimator ends is asked for again, by all that examines it."""

    def __post_init__(self) -> None:
        self.approximation.check(self.population)

    def evaluation(self, x: Vector) -> Evaluation:
        """Everything about the objective at x, one entry a subject; priors not included."""
        key = np.asarray(x, float).tobytes()
        if key not in self._last:
            found = evaluate(jnp.asarray(x), self.population, self.approximation, self.problem)
            self._last.clear()
            self._last[key] = jax.tree.map(np.asarray, found)
        return self._last[key]

    def value(self, x: Vector) -> tuple[float, Vector, Float[np.ndarray, "parameter unit"]]:
        """The objective with priors (infinite if a subject failed), its gradient, and the scores of what is
        independent: the subjects, or the sites if anything varies between them."""
        found = self.evaluation(x)
        scores = np.asarray(found.score)
        if self.problem.sharing is not None:
            sites, of_subject = np.unique(np.asarray(self.problem.sharing.site), return_inverse=True)
            scores = scores @ (of_subject[:, None] == np.arange(len(sites))[None]).astype(float)
        penalty, slope = (
            _penalty(jnp.asarray(x), self.population) if self.population.priors else (0.0, np.zeros_like(x))
        )
        value = float(found.value.sum() + penalty)
        gradient = np.asarray(found.score.sum(axis=1) + np.asarray(slope))
        if found.failed.any() or not np.isfinite(value) or not np.isfinite(gradient).all():
            return np.inf, gradient, scores
        return value, gradient, scores

    def hessian(self, x: Vector) -> Float[np.ndarray, "parameter parameter"]:
        """Exact second derivatives of the objective with priors."""
        z = jnp.asarray(self.evaluation(x).z)
        found = hessian(jnp.asarray(x), z, self.population, self.approximation, self.problem)
        if self.population.priors:
            found = found + self.bend_of_priors(x)
        return found

    def bend_of_priors(self, x: Vector) -> Float[np.ndarray, "parameter parameter"]:
        """Second derivatives of -2 log density of the priors."""
        return np.asarray(jax.hessian(self.population.penalty)(jnp.asarray(x)))

    def failures(self, x: Vector) -> Float[np.ndarray, " failed"]:
        """Places of the subjects that fail at x."""
        return np.flatnonzero(self.evaluation(x).failed).astype(float)


@jitted("population", little=lambda *_: True, walked=lambda *_: True)
def natural(x: Float[Array, " parameter"], population: Population) -> tuple[Array, Array]:
    """What a person reads `[summary]`, and its derivatives in x `[summary, parameter]`."""

    def read(x: Array) -> Array:
        return jnp.stack(list(population.summary(population.packing.values(x)).values()))

    return read(x), jax.jacobian(read)(x)


def _penalty(x: jax.Array, population: Population) -> tuple[float, Vector]:
    value, slope = jax.value_and_grad(population.penalty)(x)
    return float(value), np.asarray(slope)
