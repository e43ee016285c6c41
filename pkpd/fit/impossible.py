"""What can be seen to be impossible before anything is fitted."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from pkpd.errors import InputError
from pkpd.fit import kinks
from pkpd.fit.individual import Individual, located, spread
from pkpd.fit.objective import Approximation
from pkpd.fit.problem import Problem, Table
from pkpd.population.population import Population
from pkpd.population.priors import ruled_out


def refuse_impossible(population: Population, approximation: Approximation, problem: Problem, table: Table) -> None:
    """Raise `InputError` naming rows whose error has SD 0, or that have no finite prediction, at the start; and priors
    that rule the start out.

    What a typical lag rules out a shorter one of the subject's own may not, where the error's scale is that of its own.
    """
    _refuse_ruled_out(population)
    individual = Individual(population, interaction=True)
    x = jnp.asarray(population.packing.start())
    zero = jnp.zeros((individual.effects(problem), problem.subjects))
    own = approximation.method != "fo" and approximation.interaction(population)
    everywhere = [zero, *(_in_slabs(individual, x, problem) if own else [])]
    found = [located(individual, x, z, problem)[0] for z in everywhere]
    for name, observed in problem.observations.items():
        scored = np.asarray(observed.scored)
        nowhere = np.all([~np.isfinite(np.asarray(one[name][0])) for one in found], axis=0)
        exact = np.all([~(np.asarray(one[name][1]) > -np.inf) for one in found], axis=0)
        for wrong, what, mend in (
            (nowhere, "the prediction is not finite", "mend the initial estimates or leave them out"),
            (
                exact,
                "the prediction is 0 and so is the error's SD, which makes the likelihood infinite",
                "leave these rows out, or give the error an additive part (combined)",
            ),
        ):
            if (wrong & scored).any():
                rows = [table.place(i, j) for j, i in np.argwhere((wrong & scored).T).tolist()]
                more = f" and {len(rows) - 10} more" if len(rows) > 10 else ""
                raise InputError(f"'{name}': {what} in {', '.join(rows[:10])}{more}; {mend}")


def _in_slabs(individual: Individual, x: Array, problem: Problem) -> list[Array]:
    """Random effects within each slab between kinks, if there are any."""
    values = individual.population.packing.values(spread(x, problem))
    count = kinks.parts(individual, values, problem)
    if count == 1:
        return []
    slab = kinks.slabs(individual, values, problem, count)
    surface = kinks.Surface(individual, *kinks.beside((values, problem), count))
    return list(jnp.moveaxis(kinks.folded(surface.start(slab), count), 1, 0))


def _refuse_ruled_out(population: Population) -> None:
    start = population.summary(population.packing.values(jnp.asarray(population.packing.start())))
    if out := ruled_out(population.priors, start):
        who = ", ".join(f"{name} ({value:g})" for name, value in out.items())
        raise InputError(
            f"the prior rules out the initial estimate of {who}: its density is 0 there; begin within its support"
        )
