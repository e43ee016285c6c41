"""Predictions at the records of a table: pure, batched over subjects, differentiable in all a user may estimate.

`prepare` does once what depends on the records alone and refuses what has no meaning; `predict` is the function of
the parameters, for simulating and fitting alike.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from pkpd.engine.exact import segment_states
from pkpd.engine.propagator import apply, exponential
from pkpd.engine.steady import Repeated, steady_states
from pkpd.engine.system import linear_system
from pkpd.errors import InputError
from pkpd.events.course import Course, Quantities, course, locate
from pkpd.events.records import MODELLED_DURATION, MODELLED_RATE, Records
from pkpd.events.schedule import Schedule, schedule
from pkpd.models.model import Model, Route

Carry = Literal["nocb", "locf"]

FREE = ("time", "amt", "rate", "dur", "ii")
"""Numbers of a record that may be replaced in `predict`, to differentiate by them."""


class Prepared(eqx.Module):
    """Records made ready for a model; made by `prepare`. A pytree: pass it to a compiled function as an argument.

    carry: how parameters that change between records are carried (NOCB, NONMEM's rule, or LOCF). infused: states that
    infusions enter; repeated: states that a dose at steady state enters.
    """

    records: Records
    plan: Schedule
    model: Model = eqx.field(static=True)
    outputs: tuple[str, ...] = eqx.field(static=True)
    carry: Carry | None = eqx.field(static=True)
    infused: tuple[int, ...] = eqx.field(static=True)
    repeated: tuple[int, ...] = eqx.field(static=True)


def prepare(
    model: Model,
    records: Records,
    parameters: Mapping[str, Float[np.ndarray, "*record subject"]],
    *,
    outputs: Sequence[str] | None = None,
    carry: Carry | None = None,
) -> Prepared:
    """Check `records` and `parameters` against `model` and write out the doses.

    parameters: `[subject]`, or `[record, subject]` where one changes, which needs `carry`. Their values decide
    whether an infusion given by a modelled length is one, and how many doses of a steady-state past still run.

    Raises `InputError` for records without meaning, unknown or missing parameters, a change without `carry`, and
    a lag of II or more at steady state.
    """
    model.check_parameters(parameters)
    states = tuple(state.name for state in model.states)
    records.check(states)
    wanted = tuple(outputs) if outputs is not None else tuple(model.outputs)
    for name in wanted:
        if name not in model.outputs:
            raise InputError(f"model '{model.name}' has no output '{name}'; it has {', '.join(model.outputs)}")
    changes = any(np.ndim(value) == 2 for value in parameters.values())
    if changes and carry is None:
        raise InputError("parameters change between records: say how they are carried, carry='nocb' or carry='locf'")
    values = {name: np.asarray(value, dtype=float) for name, value in parameters.items()}
    for name, value in values.items():
        shape = records.time.shape
        if value.shape not in (shape, shape[1:]):
            raise InputError(
                f"parameter '{name}' has shape {value.shape}; it needs one value for each of the {shape[1]} subjects, "
                f"or one for each of the {shape[0]} records of each subject"
            )
    _check_modelled(model, records)
    quantities = _quantities(model, records, values, {}, np)
    _check_lags(records, quantities)
    plan = schedule(records, quantities.length, quantities.lag, changes)
    into = [arrivals.into[arrivals.present] for arrivals in (plan.boluses, plan.infusions)]
    steady = np.unique(records.cmt[records.ss > 0])
    return Prepared(
        model=model,
        records=records,
        plan=plan,
        outputs=wanted,
        carry=carry if changes else None,
        infused=tuple(int(i) for i in np.unique(into[1])),
        repeated=tuple(int(i) for i in steady),
    )


def predict(
    prepared: Prepared,
    parameters: Mapping[str, Float[Any, "*record subject"]],
    changes: Mapping[str, Float[Any, "record subject"]] | None = None,
) -> dict[str, Float[Array, "record subject"]]:
    """Every output at every record, as the record sees it (docs/semantics.md, Order at equal times).

    changes: other numbers for `time`, `amt`, `rate`, `dur` or `ii` of the records. NaN for a subject whose linear
    block cannot be propagated or has no steady state.
    """
    model, plan, records = prepared.model, prepared.plan, prepared.records
    block = model.compartments
    values = {name: jnp.asarray(value) for name, value in parameters.items()}
    quantities = _quantities(model, records, values, changes or {}, jnp)
    steady = None
    if prepared.repeated:
        steady = _steady(prepared, values, quantities)
    line = course(plan, quantities, len(block.states), prepared.infused, steady, jnp)

    inside = _carried(prepared, line)
    here = jnp.broadcast_to(jnp.arange(records.time.shape[0])[:, None], records.time.shape)
    infused = tuple(block.names[i] for i in prepared.infused)
    system = linear_system(block, _at(values, inside), infused)
    kinds = jnp.arange(line.start.shape[0])
    states = segment_states(system, line.duration, kinds, line.jump, line.rate, line.clears)
    segment, since = locate(line, quantities.time, here, jnp)

    def gather(field: Float[Array, "segment subject"]) -> Float[Array, "record subject"]:
        return jnp.take_along_axis(field, segment, axis=0)

    rates = {key: gather(entry) for key, entry in system.matrix.items()}
    x = apply(exponential(rates, system.size, since), tuple(gather(states[:, i]) for i in range(system.size)))
    # What is read at a record is read with the record's own parameters.
    readouts = linear_system(block, _at(values, here), infused).readouts
    found = {}
    for name in prepared.outputs:
        terms = [weight * x[i] for i, weight in readouts[name].items()]
        found[name] = sum(terms[1:], terms[0])
    return found


def _at(values: Mapping[str, Array], record: Int[Array, "row subject"]) -> dict[str, Float[Array, "row subject"]]:
    return {
        name: jnp.take_along_axis(value, record, axis=0)
        if value.ndim == 2
        else jnp.broadcast_to(value[None], record.shape)
        for name, value in values.items()
    }


def _carried(prepared: Prepared, line: Course) -> Int[Array, "segment subject"]:
    """The record whose parameters hold in each segment."""
    last = prepared.records.time.shape[0] - 1
    return jnp.minimum(line.records, last) if prepared.carry == "nocb" else jnp.maximum(line.records - 1, 0)


def _routes(model: Model) -> dict[int, Route]:
    """The route of each state that has one; raises `InputError` where two with different parameters share a state."""
    places = [state.name for state in model.states]
    found: dict[int, Route] = {}
    for route in model.routes:
        place = places.index(route.into)
        other = found.setdefault(place, route)
        if (other.lag, other.bioavailability, other.rate, other.duration) != (
            route.lag,
            route.bioavailability,
            route.rate,
            route.duration,
        ):
            raise InputError(
                f"model '{model.name}': routes '{other.name}' and '{route.name}' both lead into '{route.into}', with "
                "different parameters; a record names only the compartment, so it cannot tell them apart"
            )
    return found


def _quantities(
    model: Model,
    records: Records,
    values: Mapping[str, Any],
    changes: Mapping[str, Any],
    xp: Any,
) -> Quantities:
    """F acts on what a record leaves open: the amount of a bolus, the length at a rate, the rate of a length."""
    if unknown := sorted(set(changes) - set(FREE)):
        raise InputError(f"records have no {', '.join(unknown)} to change; there are {', '.join(FREE)}")
    time, amt, rate, dur, ii = (xp.asarray(changes.get(name, getattr(records, name))) for name in FREE)
    zero = xp.zeros_like(time)
    fraction, lag = zero + 1.0, zero

    def spread(symbol: str) -> Any:
        value = values[symbol]
        return value if value.ndim == 2 else xp.broadcast_to(value[None], zero.shape)

    by_rate, by_length = records.rate == MODELLED_RATE, records.rate == MODELLED_DURATION
    for place, route in _routes(model).items():
        mine = records.cmt == place
        if route.bioavailability:
            fraction = xp.where(mine, spread(route.bioavailability), fraction)
        if route.lag:
            lag = xp.where(mine & records.is_dose, spread(route.lag), lag)
        if route.rate:
            rate = xp.where(mine & by_rate, spread(route.rate), rate)
        if route.duration:
            dur = xp.where(mine & by_length, spread(route.duration), dur)
    given = fraction * amt
    at_rate = (records.rate > 0) | by_rate
    length = xp.where(at_rate, given / xp.where(at_rate, rate, 1.0), xp.where(by_length | (records.dur > 0), dur, zero))
    constant = xp.where(records.is_endless, rate, 0.0)
    return Quantities(time, given, length, ii, lag, constant)


def _check_modelled(model: Model, records: Records) -> None:
    unmet = records.is_dose & np.isin(records.rate, (MODELLED_RATE, MODELLED_DURATION))
    for place, route in _routes(model).items():
        has = ((records.rate == MODELLED_RATE) & (route.rate is not None)) | (
            (records.rate == MODELLED_DURATION) & (route.duration is not None)
        )
        unmet = unmet & ~((records.cmt == place) & has)
    if unmet.any():
        record, subject = (int(i) for i in np.argwhere(unmet)[0])
        code = int(records.rate[record, subject])
        raise InputError(
            f"subject {subject}, record {record}: RATE {code} asks for a modelled "
            f"{'rate' if code == MODELLED_RATE else 'duration'} of state {records.cmt[record, subject]}, and no route "
            f"of model '{model.name}' into it has one"
        )


def _check_lags(records: Records, q: Quantities) -> None:
    late = (records.ss > 0) & (q.lag >= q.interval) & ~records.is_endless
    endless = records.is_endless & (q.lag > 0)
    for wrong, rule in (
        (
            late,
            "at steady state the lag must be shorter than II: with a longer one the dose of this record is not the "
            "next to arrive, and what precedes it is not defined",
        ),
        (endless, "an endless infusion has no lag"),
    ):
        if wrong.any():
            record, subject = (int(i) for i in np.argwhere(wrong)[0])
            raise InputError(
                f"subject {subject}, record {record}: lag {q.lag[record, subject]:g} h, II "
                f"{q.interval[record, subject]:g} h; {rule}"
            )


def _steady(prepared: Prepared, values: Mapping[str, Array], q: Quantities) -> Float[Array, "act state subject"]:
    """The steady state each acting record brings about; zero for one without SS."""
    records, acts = prepared.records, prepared.plan.acts
    block = prepared.model.compartments
    system = linear_system(block, _at(values, jnp.asarray(acts.record)))

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
    x = steady_states(system.matrix, system.size, dose, prepared.repeated)
    return jnp.stack([jnp.where(steady, amount, 0.0) for amount in x], axis=1)
