"""A model and a data set joined: what a population needs to be fitted."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from pkpd.dataset.dataset import Dataset
from pkpd.dataset.padded import in_model_units, padded
from pkpd.engine.predict import predict
from pkpd.engine.prepare import Carry, Prepared, prepare
from pkpd.engine.tolerances import Tolerances
from pkpd.errors import InputError
from pkpd.fit.problem import Problem, Table, problem
from pkpd.fit.table import table
from pkpd.models.model import Model
from pkpd.population.population import Population


@dataclass(frozen=True)
class Connection:
    """The data in the model's units, as a table of what is scored; the records ready for the model; the problem."""

    dataset: Dataset
    table: Table
    prepared: Prepared
    problem: Problem


def connected(
    population: Population,
    model: Model,
    dataset: Dataset,
    *,
    carry: Carry = "nocb",
    method: str = "auto",
    tolerances: Tolerances | None = None,
) -> Connection:
    """Join `model` and `dataset` by `population`, whose parameters are the model's and whose endpoints are outputs.

    carry: how covariates and occasions that change between records are carried. method, tolerances: see
    `pkpd.engine.solve.plan`.

    Raises `InputError` on a parameter that is missing or unknown, an endpoint that is no output, units that do not
    agree, records without meaning in this model.
    """
    model.check_parameters(population.parameters)
    if strange := [name for name in population.residuals if name not in model.outputs]:
        raise InputError(
            f"residual error of {', '.join(strange)}: model '{model.name}' has the outputs {', '.join(model.outputs)}"
        )
    counted = in_model_units(dataset, model)
    rows = table(counted)
    draft = problem(population, rows, _nothing)
    laid = padded(counted, model)
    # The scored records of each subject in their order, padded by others: as `table` has them.
    read = np.argsort(~laid.scored, axis=0, kind="stable")[: len(rows.value)]
    start = _at_start(population, draft)
    changes = any(value.ndim == 2 for value in start.values())
    ready = prepare(
        model,
        laid.records,
        start,
        outputs=tuple(population.residuals),
        carry=carry if changes else None,
        method=method,
        tolerances=tolerances,
        read=read,
    )
    changing = [name for name in population.moving if start[name].ndim == 2]
    if changing and ready.plan.way != "exact":
        raise InputError(
            f"{', '.join(changing)} changes between records, and '{model.name}' is integrated: its derivatives by "
            "parameters that change in time are not built; make the covariate constant for each subject"
        )
    return Connection(counted, rows, ready, replace(draft, predict=jax.tree_util.Partial(predict, ready)))


def _at_start(population: Population, draft: Problem) -> dict[str, np.ndarray]:
    """The model's parameters at the initial estimates, without random effects."""
    x = jnp.broadcast_to(
        jnp.asarray(population.packing.start())[:, None], (len(population.packing.free), draft.subjects)
    )
    values = population.packing.values(x)
    zero = jnp.zeros((len(population.effects(draft.occasion_count)), draft.subjects))
    etas = population.etas(values, zero, draft.occasions)
    found = population.individual(values, etas, draft.covariates)[0]
    return {name: np.asarray(value) for name, value in found.items()}


def _nothing(parameters: dict[str, Array]) -> dict[str, Array]:
    """Stands for the prediction while there is none."""
    return {}
