"""Shrinkage, as NONMEM, PsN and Monolix compute it: on the SD scale, not centred, divided by n.

    of an effect   1 - sqrt(mean eta^2)/omega
    of residuals   1 - sqrt(mean IWRES^2)

Negative values are possible, and are reported as they are.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.fit.compilation import compiled
from pkpd.fit.individual import Individual, located, spread
from pkpd.fit.problem import Problem
from pkpd.population.omega import Omega
from pkpd.population.population import Population


def individual_effects(population: Population, x: np.ndarray, z: np.ndarray, problem: Problem) -> dict[str, np.ndarray]:
    """eta of each subject; effects that vary between occasions `[record, subject]`."""
    found = _numbers(_effects(jnp.asarray(x), jnp.asarray(z), population, problem))
    levels = (omega for omega in (population.between, population.shared, population.within) if omega is not None)
    # What comes out of a compiled function is in the order of the alphabet.
    known = dict.fromkeys(effect for omega in levels for effect in omega.effects)
    return {name: found[name] for name in known if name in found}


def eta_shrinkage(population: Population, x: np.ndarray, z: np.ndarray, problem: Problem) -> dict[str, float]:
    """Of each effect between subjects, `cl`, between occasions, `cl OCC`, and between sites, `cl SITE`; NaN where its
    omega is 0. All occasions together, each of a subject that has records in it."""
    values, between, within, shared = _numbers(_levels(jnp.asarray(x), jnp.asarray(z), population, problem))
    found = _shrunk(population.between, values, between)
    if population.within is not None:
        there = np.asarray(problem.occasions).any(axis=1)
        of_occasions = _shrunk(population.within, values, {name: eta[there] for name, eta in within.items()})
        found |= {f"{effect} OCC": value for effect, value in of_occasions.items()}
    if population.shared is not None:
        # Each site counts once, however many subjects it has.
        one_each = np.unique(np.asarray(problem.sharing.site), return_index=True)[1]
        values, shared = jax.tree.map(lambda each: each[one_each], (values, shared))
        of_sites = _shrunk(population.shared, values, shared)
        found |= {f"{effect} {population.site}": value for effect, value in of_sites.items()}
    return found


def _shrunk(omega: Omega, values: dict[str, np.ndarray], etas: dict[str, np.ndarray]) -> dict[str, float]:
    found = {}
    for part in omega.parts:
        rows = [[values[name] for name in row] for row in part.names]
        for effect, row in zip(part.effects, rows, strict=True):
            sd = float(np.sqrt(sum(float(element[0]) ** 2 for element in row)))
            mean = float(np.sqrt((etas[effect] ** 2).mean()))
            found[effect] = 1.0 - mean / sd if sd > 0 else float("nan")
    return found


def weighted_residuals(
    population: Population, x: np.ndarray, z: np.ndarray, problem: Problem
) -> dict[str, Float[np.ndarray, "observation subject"]]:
    """IWRES = (h(y) - h(f))/s at the individual estimates, by endpoint; NaN where nothing was measured."""
    individual = Individual(population, interaction=True)
    away = located(individual, jnp.asarray(x), jnp.asarray(z), problem)[1]
    used = {name: np.asarray(one.scored) & np.asarray(one.measured) for name, one in problem.observations.items()}
    return {name: np.where(used[name], e, np.nan) for name, e in away.items()}


def epsilon_shrinkage(population: Population, x: np.ndarray, z: np.ndarray, problem: Problem) -> dict[str, float]:
    """Of the residuals of each endpoint."""
    residuals = weighted_residuals(population, x, z, problem)
    return {name: 1.0 - float(np.sqrt(np.nanmean(e**2))) for name, e in residuals.items()}


@compiled("population", once=True)
def _effects(x: Array, z: Array, population: Population, problem: Problem) -> dict[str, Array]:
    return population.etas(population.packing.values(spread(x, problem)), z, problem.occasions)


@compiled("population", once=True)
def _levels(x: Array, z: Array, population: Population, problem: Problem) -> tuple[dict[str, Array], ...]:
    """The value of every coordinate, and eta between subjects, occasions `[occasion, subject]`, and sites."""
    values, within, shared = population.packing.values(spread(x, problem)), {}, {}
    own = len(population.between.effects)
    if population.within is not None:
        count = len(population.within.effects)
        each = [population.within.etas(values, z[own + k * count :]) for k in range(problem.occasion_count)]
        within = jax.tree.map(lambda *etas: jnp.stack(etas), *each)
    if population.shared is not None:
        shared = population.shared.etas(values, z[z.shape[0] - len(population.site_effects) :])
    return values, population.between.etas(values, z[:own]), within, shared


def _numbers(found: Any) -> Any:
    return jax.tree.map(np.asarray, found)
