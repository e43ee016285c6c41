"""What a record adds to what it has cleared: initial values, or a steady state, of compartments in closed form, of
everything else as a fixed point."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from pkpd.engine.field import NO_COMPARTMENTS, initial_responses
from pkpd.engine.periodic import by_slopes, fixed_point
from pkpd.engine.plan import Plan
from pkpd.engine.prepare import Prepared
from pkpd.engine.rows import Rows
from pkpd.engine.solve import Chunk, solve
from pkpd.engine.steady import Repeated, spans, steady_states
from pkpd.engine.system import linear_system
from pkpd.engine.tolerances import Tolerances
from pkpd.events.course import Course, Quantities

_TIGHT = Tolerances(rtol=1e-10, atol=1e-12)
"""For the map over an interval: steps that come and go with rounding must not hide its fixed point."""


def at_records(
    values: Mapping[str, Array], record: Int[Array, "row subject"]
) -> dict[str, Float[Array, "row subject"]]:
    """Each parameter at the records asked for, `[row, subject]`."""
    return {
        name: jnp.take_along_axis(value, record, axis=0)
        if value.ndim == 2
        else jnp.broadcast_to(value[None], record.shape)
        for name, value in values.items()
    }


def added_by_records(
    prepared: Prepared, values: Mapping[str, Array], q: Quantities, reverse: bool
) -> Float[Array, "act state subject"] | None:
    """What each acting record adds to the states it has cleared; None where none adds anything."""
    steady = _steady(prepared, values, q, reverse) if prepared.repeated else None
    if not prepared.restarted:
        return steady
    anew = _begun_anew(prepared, values)
    return anew if steady is None else steady + anew


def _begun_anew(prepared: Prepared, values: Mapping[str, Array]) -> Float[Array, "act state subject"]:
    """How far the initial values by the parameters of the record are from those by the parameters of the first, to
    which a solver sets what is cleared."""
    model, acts = prepared.plan.model, prepared.schedule.acts
    clears = jnp.asarray(acts.clears & acts.present)

    def initial(record: Int[Array, "act subject"]) -> Float[Array, "response act subject"]:
        parameters = jax.tree.map(jnp.ravel, at_records(values, record))
        return jnp.stack(initial_responses(model, parameters)).reshape(-1, *record.shape)

    record = jnp.asarray(acts.record)
    found = jnp.where(clears[None], initial(record) - initial(jnp.zeros_like(record)), 0.0)
    compartments = jnp.zeros((len(model.states) - len(found), *record.shape))
    return jnp.moveaxis(jnp.concatenate([compartments, found]), 0, 1)


def _steady(
    prepared: Prepared, values: Mapping[str, Array], q: Quantities, reverse: bool
) -> Float[Array, "act state subject"]:
    """What each acting record adds to the states it has cleared; zero for one without SS.

    reverse: whether what is integrated can be differentiated in reverse, too; every derivative costs more then.
    """
    plan, records, acts = prepared.plan, prepared.records, prepared.schedule.acts
    block = plan.model.linear or NO_COMPARTMENTS
    parameters = at_records(values, jnp.asarray(acts.record))

    def pick(field: Any) -> Array:
        return jnp.take_along_axis(jnp.asarray(field), acts.record, axis=0)

    steady = jnp.asarray(acts.steady & acts.present)
    endless = pick(records.is_endless) & steady
    # A record without SS is given an ordinary dose to solve for, so that nothing of it can spoil a derivative.
    dose = Repeated(
        interval=jnp.where(steady & ~endless, pick(q.interval), 1.0),
        lag=jnp.where(steady & ~endless, pick(q.lag), 0.0),
        length=jnp.where(steady & ~endless, pick(q.length), 0.0),
        given=jnp.where(steady, pick(q.given), 0.0),
        into=pick(records.cmt),
        constant=jnp.where(endless, pick(q.constant), 0.0),
    )
    found = []
    if plan.way != "whole" and block.states:
        system = linear_system(block, parameters)
        into = tuple(i for i in prepared.repeated if i < system.size)
        found += steady_states(system.matrix, system.size, dose, into)
    if plan.way != "exact":

        def fixed(
            given: tuple[dict[str, Array], dict[str, Array], list[Array]], into: Int[Array, " batch"]
        ) -> Float[Array, "state batch"]:
            parameters, numbers, amounts = given
            return _fixed(plan, prepared.repeated, parameters, Repeated(into=into, **numbers), amounts)

        numbers = dose._asdict()
        into = numbers.pop("into")
        given, into = jax.tree.map(jnp.ravel, ((parameters, numbers, list(found)), into))
        states = (by_slopes(fixed) if reverse else fixed)(given, into)
        found += [state.reshape(steady.shape) for state in states]
    found += [jnp.zeros_like(found[0])] * (len(plan.model.states) - len(found))
    return jnp.stack([jnp.where(steady, amount, 0.0) for amount in found], axis=1)


def _fixed(
    plan: Plan,
    dosed: tuple[int, ...],
    parameters: dict[str, Float[Array, " batch"]],
    dose: Repeated,
    amounts: list[Float[Array, " batch"]],
) -> Float[Array, "state batch"]:
    """How far the integrated states are from their initial values at the end of an interval of an endless past."""
    states, batch = len(plan.model.states), dose.given.shape[0]
    endless = dose.constant > 0
    lengths, whole, infused = spans(dose)
    # Of an infusion without end any interval is as good as another.
    speed = jnp.where(infused, dose.given / jnp.where(infused, dose.length, 1.0), 0.0)
    on = jnp.stack([whole + more for more in (1.0, 0.0, 1.0, 0.0)])
    rate = jnp.where(endless[None], dose.constant[None], on * speed[None])
    durations = jnp.stack([jnp.where(span < 0, 0.0, span) for span in lengths[:4]])
    start = jnp.concatenate([jnp.zeros((1, batch)), jnp.cumsum(durations, axis=0)[:-1]])
    bolus = jnp.zeros((4, states, batch))
    for i in dosed:
        bolus = bolus.at[2, i].set(jnp.where((dose.into == i) & ~infused & ~endless, dose.given, 0.0))
    inner = replace(plan, infused=dosed, tolerances=_TIGHT, room=0)
    line = Course(
        start=start,
        duration=durations,
        clears=jnp.zeros((4, batch), dtype=bool),
        jump=bolus,
        rate=jnp.stack([jnp.where((dose.into == i)[None], rate, 0.0) for i in dosed], axis=1),
        rank=jnp.zeros((4, batch), dtype=int),
        records=jnp.zeros((4, batch), dtype=int),
    )
    rows = Rows(jnp.full((1, batch), 3), durations[3:])
    first = len(amounts)

    def period(z: Float[Array, "state batch"]) -> Float[Array, "state batch"]:
        begins = jnp.concatenate([jnp.stack(amounts), z]) if amounts else z
        from_there = line._replace(jump=line.jump.at[0].add(begins))
        found = solve(inner, Chunk(parameters, from_there, durations, jnp.arange(4), rows))
        return found.sound.integrated[0] - rest

    responses = initial_responses(plan.model, parameters)
    rest = jnp.stack([*[jnp.zeros(batch)] * (states - first - len(responses)), *responses])
    given = jnp.maximum(jnp.abs(dose.given), dose.constant * dose.interval)
    compartments = len((plan.model.linear or NO_COMPARTMENTS).states)
    routed = {route.into for route in plan.model.routes}
    scale = jnp.stack(
        [
            jnp.where(given > 0, given, 1.0)
            if i < compartments or state.name in routed
            else jnp.maximum(jnp.abs(rest[i - first]), 1e-3)
            for i, state in enumerate(plan.model.states)
            if i >= first
        ]
    )
    return fixed_point(period, jnp.zeros_like(rest), scale)
