"""Predictions at the records of a table: pure, batched over subjects, differentiable in all a user may estimate.

The one function of the parameters, for simulating and fitting alike.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from pkpd.engine.prepare import Prepared, quantities_of
from pkpd.engine.repeated import at_records, steady_jumps
from pkpd.engine.rows import Rows
from pkpd.engine.solve import solve
from pkpd.events.course import Course, course, locate


def predict(
    prepared: Prepared,
    parameters: Mapping[str, Float[Any, "*record subject"]],
    changes: Mapping[str, Float[Any, "record subject"]] | None = None,
) -> dict[str, Float[Array, "record subject"]]:
    """Every output at every record, as the record sees it (docs/semantics.md, Order at equal times).

    changes: other numbers for `time`, `amt`, `rate`, `dur` or `ii` of the records. NaN for a subject whose compartments
    cannot be propagated, have no steady state, or whose integration fails. Differentiable in every mode where the
    model is linear; forward where it is integrated.
    """
    plan, records = prepared.plan, prepared.records
    model = plan.model
    values = {name: jnp.asarray(value) for name, value in parameters.items()}
    quantities = quantities_of(model, records, values, changes or {}, jnp)
    steady = steady_jumps(prepared, values, quantities) if prepared.repeated else None
    line = course(prepared.schedule, quantities, len(model.states), plan.infused, steady, jnp)
    here = jnp.broadcast_to(jnp.arange(records.time.shape[0])[:, None], records.time.shape)
    inside = values if prepared.carry is None else at_records(values, _carried(prepared, line))
    at_rows = values if prepared.carry is None else at_records(values, here)  # a record is read with its own parameters
    rows = Rows(*locate(line, quantities.time, here, jnp))
    found = solve(plan, inside, at_rows, line, line.duration, jnp.arange(line.start.shape[0]), rows)
    return {name: found.values[:, plan.names.index(name)] for name in prepared.outputs}


def _carried(prepared: Prepared, line: Course) -> Int[Array, "segment subject"]:
    """The record whose parameters hold in each segment."""
    last = prepared.records.time.shape[0] - 1
    return jnp.minimum(line.records, last) if prepared.carry == "nocb" else jnp.maximum(line.records - 1, 0)
