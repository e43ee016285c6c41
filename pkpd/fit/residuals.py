"""Predictions and residuals of every observation: PRED, IPRED, IWRES and CWRES.

    PRED     prediction at eta = 0
    IPRED    prediction at the individual estimates
    IWRES    (h(y) - h(f))/s at the individual estimates
    CWRES    C^(-1/2) (h(y) - E),  E = m - G z,  C = G G' + diag(s^2)

m is the location at the whitened individual estimates z (Omega is the identity there), G its derivatives in z, s the
error's SD, and C^(-1/2) the symmetric root. Hooker, Staatz and Karlsson 2007, doi:10.1007/s11095-007-9361-x.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.fit.compilation import compiled
from pkpd.fit.individual import Individual, Z, located, spread, units
from pkpd.fit.problem import Problem
from pkpd.fit.shrinkage import weighted_residuals
from pkpd.population.population import Population
from pkpd.population.residual import UserDensity

Grid = Float[np.ndarray, "observation subject"]


@dataclass(frozen=True)
class Residuals:
    """By observation and subject, as in `Table`; NaN where there is none, as where nothing was measured."""

    pred: Grid
    ipred: Grid
    iwres: Grid
    cwres: Grid


def residuals(population: Population, x: np.ndarray, z: np.ndarray, problem: Problem, interaction: bool) -> Residuals:
    """All four. `interaction`: the SD in CWRES is that at the individual prediction, else that at eta = 0."""
    individual = Individual(population, interaction=True)
    at, here, zero = jnp.asarray(x), jnp.asarray(z), jnp.zeros_like(jnp.asarray(z))
    typical, outputs = (_outputs(individual, at, effects, problem) for effects in (zero, here))
    features = located(individual, at, here, problem)[0]
    weighted = weighted_residuals(population, x, z, problem)
    centre = located(individual, at, zero, problem)[0]
    slopes = _slopes(individual, at, here, problem)
    shape = next(iter(problem.observations.values())).scored.shape
    columns = {name: np.full(shape, np.nan) for name in ("pred", "ipred", "iwres", "cwres")}
    difference, sd, slope = np.full(shape, np.nan), np.full(shape, np.nan), np.full((z.shape[0], *shape), np.nan)
    for name, observed in problem.observations.items():
        scored = np.asarray(observed.scored)
        used = scored & np.asarray(observed.measured)
        columns["pred"][scored] = np.asarray(typical[name])[scored]
        columns["ipred"][scored] = np.asarray(outputs[name])[scored]
        if isinstance(population.residuals[name].scale, UserDensity):
            continue
        s = np.exp(np.asarray(features[name][1]))
        columns["iwres"][used] = weighted[name][used]
        difference[used] = (weighted[name] * s)[used]
        sd[used] = (s if interaction else np.exp(np.asarray(centre[name][1])))[used]
        slope[:, used] = np.asarray(slopes[name])[:, used]
    for j in range(shape[1]):
        rows = np.isfinite(difference[:, j])
        g = slope[:, rows, j].T
        spread = g @ g.T + np.diag(sd[rows, j] ** 2)
        if rows.any() and np.isfinite(spread).all():
            values, vectors = np.linalg.eigh(spread)
            away = difference[rows, j] + g @ z[:, j]
            columns["cwres"][rows, j] = vectors @ ((vectors.T @ away) / np.sqrt(values))
    return Residuals(**columns)


@compiled("individual", once=True)
def _outputs(individual: Individual, x: Float[Array, " parameter"], z: Z, problem: Problem) -> dict[str, Array]:
    return dict(problem.predict(individual.parameters(_values(individual, x, problem), z, problem)))


@compiled("individual", once=True)
def _slopes(individual: Individual, x: Float[Array, " parameter"], z: Z, problem: Problem) -> dict[str, Array]:
    """Derivatives of the locations, `[effect, observation, subject]`."""
    values = _values(individual, x, problem)

    def locations(z: Z) -> dict[str, Array]:
        return {name: m for name, (m, _) in individual.features(values, z, problem).items()}

    return jax.vmap(lambda unit: jax.jvp(locations, (z,), (unit,))[1])(units(z))


def _values(individual: Individual, x: Float[Array, " parameter"], problem: Problem) -> dict[str, Array]:
    return individual.population.packing.values(spread(x, problem))
