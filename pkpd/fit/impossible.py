"""What can be seen to be impossible before anything is fitted."""

import jax.numpy as jnp
import numpy as np

from pkpd.errors import InputError
from pkpd.fit.individual import Individual, located
from pkpd.fit.problem import Problem, Table
from pkpd.population.population import Population
from pkpd.population.priors import ruled_out


def refuse_impossible(population: Population, problem: Problem, table: Table) -> None:
    """Raise `InputError` naming rows whose error has SD 0, or that have no finite prediction, at the start; and priors
    that rule the start out."""
    _refuse_ruled_out(population)
    individual = Individual(population, interaction=True)
    x = jnp.asarray(population.packing.start())
    zero = jnp.zeros((individual.effects(problem), problem.subjects))
    for name, (m, log_s) in located(individual, x, zero, problem)[0].items():
        scored = np.asarray(problem.observations[name].scored)
        for wrong, what, mend in (
            (
                ~np.isfinite(np.asarray(m)),
                "the prediction is not finite",
                "mend the initial estimates or leave them out",
            ),
            (
                np.isneginf(np.asarray(log_s)),
                "the prediction is 0 and so is the error's SD, which makes the likelihood infinite",
                "leave these rows out, or give the error an additive part (combined)",
            ),
        ):
            if (wrong & scored).any():
                rows = [table.place(i, j) for i, j in np.argwhere(wrong & scored).tolist()]
                more = f" and {len(rows) - 10} more" if len(rows) > 10 else ""
                raise InputError(f"'{name}': {what} in {', '.join(rows[:10])}{more}; {mend}")


def _refuse_ruled_out(population: Population) -> None:
    start = population.summary(population.packing.values(jnp.asarray(population.packing.start())))
    if out := ruled_out(population.priors, start):
        who = ", ".join(f"{name} ({value:g})" for name, value in out.items())
        raise InputError(
            f"the prior rules out the initial estimate of {who}: its density is 0 there; begin within its support"
        )
