"""One subject's share of a likelihood as a function of its random effects; all subjects at once.

With eta = L z and z ~ N(0, 1), half of what an estimator minimises over z is

    F(z) = -log p(y | z) + z'z/2

Of random effects that a site has in common each subject carries its share of z'z/2, so that sums over a site's
subjects are what the site has. Everything is `[.., subject]`, the estimated values too, so that one derivative gives
the score of each subject.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.fit.compilation import compiled
from pkpd.fit.expansion import expanded_about
from pkpd.fit.problem import Problem, endpoint
from pkpd.population.population import Population

X = Float[Array, "parameter subject"]
Values = dict[str, Array]
"""Value of every coordinate, `[subject]`."""
Z = Float[Array, "effect subject"]
PerSubject = Float[Array, " subject"]
Curvature = Float[Array, "effect effect subject"]

Slopes = tuple[Float[Array, "effect observation subject"], Float[Array, "effect observation subject"] | None]
"""Of location and log scale in each random effect; None for a scale that none of them moves."""


@dataclass(frozen=True)
class Individual:
    """What a subject's likelihood depends on, apart from numbers. Compared by identity of its population.

    `interaction`: whether the scale of the error follows the individual prediction (FOCEI, Laplace), or stays that
    at z = 0 (FOCE).
    """

    population: Population
    interaction: bool

    def features(self, values: Values, z: Z, problem: Problem) -> dict[str, tuple[Array, Array]]:
        """Location and log scale of each endpoint's observations, `[observation, subject]`."""
        parameters, errors = self._parameters(values, z, problem)
        outputs = problem.predict(parameters)
        found = {}
        for name, observed in problem.observations.items():
            likelihood = endpoint(self.population, name, problem)
            m = likelihood.location(outputs[name], observed, errors[name])
            log_s = likelihood.log_scale(m, errors[name])
            found[name] = (m, jnp.where(observed.scored, log_s, 0.0))
        return found

    def near(self, values: Values, z: Z, problem: Problem, degree: int, order: int) -> Problem:
        """`problem` with predictions that hold at these numbers, with `degree` derivatives, `order` of them by `values`
        and the others by z."""
        held = jax.lax.stop_gradient((values, z))
        people = self.population
        return expanded_about(
            problem, self._parameters(*held, problem)[0], people.moving, people.varying, degree, order
        )

    def centre(self, values: Values, problem: Problem) -> dict[str, Array] | None:
        """log scale at z = 0 where there is no interaction."""
        if self.interaction:
            return None
        zero = jnp.zeros((self.effects(problem), problem.subjects))
        return {name: log_s for name, (_, log_s) in self.features(values, zero, problem).items()}

    def effects(self, problem: Problem) -> int:
        """How many random effects a subject has, those of its occasions included."""
        return len(self.population.effects(problem.occasion_count))

    def own(self, problem: Problem) -> int:
        """How many of them, the first ones, it has to itself."""
        return self.effects(problem) - len(self.population.site_effects)

    def _prior(self, z: Z, problem: Problem) -> Z:
        """What z'z/2 of a subject weighs: 1, and its share of what its site has."""
        if problem.sharing is None:
            return jnp.ones_like(z)
        own = self.own(problem)
        shares = jnp.broadcast_to(problem.sharing.share[None], (z.shape[0] - own, z.shape[1]))
        return jnp.concatenate([jnp.ones_like(z[:own]), shares])

    def loss(self, values: Values, z: Z, centre: dict[str, Array] | None, problem: Problem) -> PerSubject:
        """F(z)."""
        features = self._held(self.features(values, z, problem), centre)
        return self._sum(values, features, problem) + 0.5 * (self._prior(z, problem) * z**2).sum(axis=0)

    def expanded(
        self, values: Values, z: Z, centre: dict[str, Array] | None, problem: Problem
    ) -> tuple[PerSubject, Z, Curvature]:
        """F, its gradient, and its curvature without second derivatives of the prediction (Gauss and Newton):

        I + sum over observations of J' W J, J the derivatives of location and log scale in z, W the information.
        """

        located, slopes = self._linearised(values, z, centre, problem)
        errors = self.error_parameters(values, problem)
        prior = self._prior(z, problem)
        value, gradient = 0.5 * (prior * z**2).sum(axis=0), prior * z
        curvature = jnp.eye(z.shape[0])[:, :, None] * prior[None]
        for name, (m, log_s) in located.items():
            observed, p = problem.observations[name], errors[name]
            likelihood = endpoint(self.population, name, problem)
            loss, by_m, by_s = likelihood.slopes(m, log_s, observed, p)
            mm, ms, ss = likelihood.information(m, log_s, observed, p)
            value = value + loss.sum(axis=0)
            gradient = gradient + _along(slopes[name], by_m, by_s).sum(axis=1)
            jm, js = slopes[name]
            terms = jm[:, None] * _along(slopes[name], mm, ms)[None]
            if js is not None:
                terms = terms + js[:, None] * _along(slopes[name], ms, ss)[None]
            curvature = curvature + terms.sum(axis=2)
        return value, gradient, curvature

    def gradient(self, values: Values, z: Z, centre: dict[str, Array] | None, problem: Problem) -> Z:
        """dF/dz, as in `expanded`, for where nothing else is wanted: less to compile."""
        located, slopes = self._linearised(values, z, centre, problem)
        errors = self.error_parameters(values, problem)
        gradient = self._prior(z, problem) * z
        for name, (m, log_s) in located.items():
            likelihood = endpoint(self.population, name, problem)
            _, by_m, by_s = likelihood.slopes(m, log_s, problem.observations[name], errors[name])
            gradient = gradient + _along(slopes[name], by_m, by_s).sum(axis=1)
        return gradient

    def hessian(self, values: Values, z: Z, centre: dict[str, Array] | None, problem: Problem) -> Curvature:
        """d2F/dz2, exact, by two forward derivatives along each pair of effects."""
        n = z.shape[0]
        rows, columns = jnp.tril_indices(n)
        along_each = units(z)

        def along(first: Z, second: Z) -> PerSubject:
            def slope(z: Z) -> PerSubject:
                return jax.jvp(lambda z: self.loss(values, z, centre, problem), (z,), (first,))[1]

            return jax.jvp(slope, (z,), (second,))[1]

        below = jax.vmap(along)(along_each[rows], along_each[columns])
        place = jnp.zeros((n, n), int).at[rows, columns].set(jnp.arange(len(rows)))
        return below[jnp.maximum(place, place.T)]

    def _linearised(
        self, values: Values, z: Z, centre: dict[str, Array] | None, problem: Problem
    ) -> tuple[dict[str, tuple[Array, Array]], dict[str, Slopes]]:
        """The features, and their derivatives in each element of z."""
        moving = self.population.interacting if centre is None else frozenset()

        def features(z: Z) -> tuple[dict[str, tuple[Array, ...]], dict[str, tuple[Array, Array]]]:
            found = self._held(self.features(values, z, problem), centre)
            return {name: both if name in moving else both[:1] for name, both in found.items()}, found

        _, slopes, found = jax.vmap(
            lambda unit: jax.jvp(features, (z,), (unit,), has_aux=True), out_axes=(None, 0, None)
        )(units(z))
        return found, {name: (some[0], some[1] if len(some) > 1 else None) for name, some in slopes.items()}

    def parameters(self, values: Values, z: Z, problem: Problem) -> dict[str, Array]:
        """The model's parameters of each subject, `[subject]` or `[record, subject]`."""
        return self._parameters(values, z, problem)[0]

    def _parameters(
        self, values: Values, z: Z, problem: Problem
    ) -> tuple[dict[str, Array], dict[str, dict[str, Array]]]:
        etas = self.population.etas(values, z, problem.occasions)
        return self.population.individual(values, etas, problem.covariates)

    def error_parameters(self, values: Values, problem: Problem) -> dict[str, dict[str, Array]]:
        """Parameters of the densities beside location and scale, which no random effect touches."""
        return self._parameters(values, jnp.zeros((self.effects(problem), problem.subjects)), problem)[1]

    def _held(
        self, features: dict[str, tuple[Array, Array]], centre: dict[str, Array] | None
    ) -> dict[str, tuple[Array, Array]]:
        if centre is None:
            return features
        return {name: (m, centre[name]) for name, (m, _) in features.items()}

    def _sum(self, values: Values, features: dict[str, tuple[Array, Array]], problem: Problem) -> PerSubject:
        errors = self.error_parameters(values, problem)
        terms = [
            -endpoint(self.population, name, problem)
            .log_density(m, log_s, problem.observations[name], errors[name])
            .sum(axis=0)
            for name, (m, log_s) in features.items()
        ]
        return sum(terms[1:], start=terms[0])


def _along(slopes: Slopes, by_m: Array, by_s: Array) -> Float[Array, "effect observation subject"]:
    """The derivative in each random effect, of those in location and log scale."""
    jm, js = slopes
    return jm * by_m[None] if js is None else jm * by_m[None] + js * by_s[None]


def spread(x: Float[Array, " parameter"], problem: Problem) -> X:
    """x for each subject, so that one derivative gives the score of each."""
    return jnp.broadcast_to(x[:, None], (x.shape[0], problem.subjects))


@compiled("individual", once=True)
def located(
    individual: Individual, x: Float[Array, " parameter"], z: Z, problem: Problem
) -> tuple[dict[str, tuple[Array, Array]], dict[str, Array]]:
    """The features at x and z, and (h(y) - m)/s of the measured rows; compiled once."""
    values = individual.population.packing.values(spread(x, problem))
    features, errors = individual.features(values, z, problem), individual.error_parameters(values, problem)
    away = {
        name: endpoint(individual.population, name, problem).standardised(
            m, log_s, problem.observations[name], errors[name]
        )
        for name, (m, log_s) in features.items()
    }
    return features, away


def units(z: Z) -> Float[Array, "direction effect subject"]:
    """The direction of each random effect, for every subject at once."""
    return jnp.broadcast_to(jnp.eye(z.shape[0])[:, :, None], (*z.shape[:1], *z.shape))
