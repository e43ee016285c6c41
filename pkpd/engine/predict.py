"""Predictions at the records of a table: pure, batched over subjects, differentiable in all a user may estimate.

The one function of the parameters, for simulating and fitting alike.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from pkpd.engine.compiler import few, jitted
from pkpd.engine.lockstep import Outcome, Steps
from pkpd.engine.prepare import Prepared, quantities_of, segments
from pkpd.engine.repeated import added_by_records, at_records
from pkpd.engine.replay import noted_steps
from pkpd.engine.solve import Chunk, Solution, solve
from pkpd.errors import InputError
from pkpd.events.course import Course


def predict(
    prepared: Prepared,
    parameters: Mapping[str, Float[Any, "*record subject"]],
    changes: Mapping[str, Float[Any, "record subject"]] | None = None,
    steps: Steps | None = None,
) -> dict[str, Float[Array, "row subject"]]:
    """Every output at the records read, as the record sees it (docs/semantics.md, Order at equal times).

    steps: from `find_steps`; the integration then walks these, and can be differentiated in reverse. changes: other
    numbers for `time`, `amt`, `rate`, `dur` or `ii` of the records. NaN for a subject whose compartments
    cannot be propagated, have no steady state, or whose integration fails. Without `steps` what is integrated
    has forward derivatives only; compartments alone need none.
    """
    found = _solved(prepared, parameters, changes or {}, steps)
    named = found.sound.named(prepared.plan.names)
    return {name: named[name] for name in prepared.outputs}


def find_steps(
    prepared: Prepared,
    parameters: Mapping[str, Float[Any, "*record subject"]],
    changes: Mapping[str, Float[Any, "record subject"]] | None = None,
) -> Steps:
    """The steps the integration takes with these numbers, to be given to `predict`, which then repeats them.

    Outside of compiled functions: how many there are decides a shape. They serve as long as the parameters stay
    near; find them anew when these have moved. Raises `InputError` where nothing is integrated.
    """
    if prepared.plan.way == "exact":
        raise InputError("compartments are exact: there are no steps, and `predict` can be differentiated as it is")
    return noted_steps(lambda room: _noted(with_room(prepared, room), dict(parameters), dict(changes or {})))


def with_room(prepared: Prepared, room: int) -> Prepared:
    """The same with room to note so many steps."""
    return replace(prepared, plan=replace(prepared.plan, room=room))


@jitted(little=lambda prepared, *_: few(prepared.records.time))
def _noted(prepared: Prepared, parameters: dict[str, Array], changes: dict[str, Array]) -> Outcome | None:
    return _solved(prepared, parameters, changes, None).outcome


def _solved(
    prepared: Prepared, parameters: Mapping[str, Any], changes: Mapping[str, Any], steps: Steps | None
) -> Solution:
    plan = prepared.plan
    values, changes = (
        {name: jnp.asarray(value, float) for name, value in given.items()} for given in (parameters, changes)
    )
    if prepared.written is None or changes:
        quantities = quantities_of(plan.model, prepared.records, values, changes, jnp)
        added = added_by_records(prepared, values, quantities, steps is not None)
        line, rows = segments(prepared, quantities, added, jnp)
    else:
        line, rows = jax.tree.map(jnp.asarray, prepared.written)
    chunk = Chunk(values, line, line.duration, jnp.arange(line.start.shape[0]), rows)
    if prepared.carry is not None:
        chunk = chunk._replace(
            parameters=at_records(values, _carried(prepared, line)),
            changed=at_records(values, prepared.rows_read(jnp)),  # a record is read with its own parameters
        )
    return solve(plan, chunk, steps)


def _carried(prepared: Prepared, line: Course) -> Int[Array, "segment subject"]:
    """The record whose parameters hold in each segment."""
    last = prepared.records.time.shape[0] - 1
    return jnp.minimum(line.records, last) if prepared.carry == "nocb" else jnp.maximum(line.records - 1, 0)
