"""Shrinkage, as NONMEM, PsN and Monolix compute it: on the SD scale, not centred, divided by n.

    of an effect   1 - sqrt(mean eta^2)/omega
    of residuals   1 - sqrt(mean IWRES^2)

Negative values are possible, and are reported as they are.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.fit.individual import Individual, located, spread
from pkpd.fit.problem import Problem, endpoint
from pkpd.population.omega import Omega
from pkpd.population.population import Population


def individual_effects(population: Population, x: np.ndarray, z: np.ndarray, problem: Problem) -> dict[str, np.ndarray]:
    """eta of each subject; effects that vary between occasions `[record, subject]`."""
    values = _values(population, x, problem)
    etas = population.etas(values, jnp.asarray(z), problem.occasions)
    return {name: np.asarray(eta) for name, eta in etas.items()}


def eta_shrinkage(population: Population, x: np.ndarray, z: np.ndarray, problem: Problem) -> dict[str, float]:
    """Of each effect between subjects, `cl`, and between sites, `cl SITE`; NaN where its omega is 0."""
    values, z = _values(population, x, problem), np.asarray(z)
    found = _shrunk(population.between, values, z[: len(population.between.effects)])
    if population.shared is not None:
        # Each site counts once, however many subjects it has.
        one_each = np.unique(np.asarray(problem.sharing.site), return_index=True)[1]
        values = {name: value[one_each] for name, value in values.items()}
        of_sites = _shrunk(population.shared, values, z[len(z) - len(population.site_effects) :, one_each])
        found |= {f"{effect} {population.site}": value for effect, value in of_sites.items()}
    return found


def _shrunk(omega: Omega, values: dict[str, Array], z: np.ndarray) -> dict[str, float]:
    etas, found = omega.etas(values, jnp.asarray(z)), {}
    for part in omega.parts:
        rows = [[values[name] for name in row] for row in part.names]
        for effect, row in zip(part.effects, rows, strict=True):
            sd = float(np.sqrt(sum(float(element[0]) ** 2 for element in row)))
            mean = float(jnp.sqrt((etas[effect] ** 2).mean()))
            found[effect] = 1.0 - mean / sd if sd > 0 else float("nan")
    return found


def weighted_residuals(
    population: Population, x: np.ndarray, z: np.ndarray, problem: Problem
) -> dict[str, Float[np.ndarray, "observation subject"]]:
    """IWRES = (h(y) - h(f))/s at the individual estimates, by endpoint; NaN where nothing was measured."""
    individual = Individual(population, interaction=True)
    features, errors = located(individual, jnp.asarray(x), jnp.asarray(z), problem)
    found = {}
    for name, (m, log_s) in features.items():
        observed = problem.observations[name]
        e = endpoint(population, name, problem).standardised(m, log_s, observed, errors[name])
        found[name] = np.where(observed.scored & observed.measured, e, np.nan)
    return found


def epsilon_shrinkage(population: Population, x: np.ndarray, z: np.ndarray, problem: Problem) -> dict[str, float]:
    """Of the residuals of each endpoint."""
    residuals = weighted_residuals(population, x, z, problem)
    return {name: 1.0 - float(np.sqrt(np.nanmean(e**2))) for name, e in residuals.items()}


def _values(population: Population, x: np.ndarray, problem: Problem) -> dict[str, Array]:
    return population.packing.values(spread(jnp.asarray(x), problem))
