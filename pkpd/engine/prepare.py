"""Records made ready for a model: checked, doses written out, and what a record's numbers are in this model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from pkpd.engine.bounds import check_bounds
from pkpd.engine.plan import Plan, plan
from pkpd.engine.rows import Rows
from pkpd.engine.tolerances import Tolerances
from pkpd.errors import InputError
from pkpd.events.course import Course, Quantities, course, locate
from pkpd.events.records import MODELLED_DURATION, MODELLED_RATE, Records
from pkpd.events.schedule import Schedule, schedule
from pkpd.models.model import Model, Route

Carry = Literal["nocb", "locf"]

FREE = ("time", "amt", "rate", "dur", "ii")
"""Numbers of a record that may be replaced in `predict`, to differentiate by them."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Prepared:
    """Records made ready for a model; made by `prepare`. A pytree: pass it to a compiled function as an argument.

    carry: how parameters that change between records are carried (NOCB, NONMEM's rule, or LOCF). entered: states that
    anything enters; repeated: states that a dose at steady state enters; restarted: whether states that are integrated
    may begin anew where parameters have changed. read: the records predicted, `[row, subject]`,
    every one if None; without a stated type, for where chunks are dealt out it has one axis more. written: the
    segments, and where the records read lie among them, if no parameter has a say in these.
    """

    records: Records
    schedule: Schedule
    plan: Plan = field(metadata={"static": True})
    outputs: tuple[str, ...] = field(metadata={"static": True})
    carry: Carry | None = field(metadata={"static": True})
    entered: tuple[int, ...] = field(metadata={"static": True})
    repeated: tuple[int, ...] = field(metadata={"static": True})
    restarted: bool = field(metadata={"static": True})
    read: Any = None
    written: tuple[Course, Rows] | None = None

    def rows_read(self, xp: Any) -> Int[Any, "row subject"]:
        """Which records are predicted."""
        if self.read is not None:
            return xp.asarray(self.read)
        shape = self.records.time.shape
        return xp.broadcast_to(xp.arange(shape[0])[:, None], shape)


def prepare(
    model: Model,
    records: Records,
    parameters: Mapping[str, Float[np.ndarray, "*record subject"]],
    *,
    outputs: Sequence[str] | None = None,
    carry: Carry | None = None,
    method: str = "auto",
    tolerances: Tolerances | None = None,
    read: Int[np.ndarray, "row subject"] | None = None,
    changed: Bool[np.ndarray, "record subject"] | None = None,
) -> Prepared:
    """Check `records` and `parameters` against `model` and write out the doses.

    parameters: `[subject]`, or `[record, subject]` where one changes, which needs `carry`. Their values decide
    whether an infusion given by a modelled length is one, and how many doses of a steady-state past still run.
    method, tolerances: see `pkpd.engine.plan.plan`. read: which records of each subject are predicted, in order.
    changed: records whose parameters may differ from those of the record before; every one if None.

    Raises `InputError` for records without meaning, parameters that are unknown, missing or out of bounds, a model that
    needs another, a change without `carry`, a lag of II or more at steady state, records read out of order.
    """
    model.check_parameters(parameters)
    model.check_complete()
    if read is not None and (np.diff(read, axis=0) < 0).any():
        raise InputError("records are read in their order: `read` must not decrease within a subject")
    states = tuple(state.name for state in model.states)
    records.check(states)
    wanted = tuple(outputs) if outputs is not None else tuple(model.outputs)
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
    check_bounds(model, values)
    _check_modelled(model, records)
    quantities = quantities_of(model, records, values, {}, np)
    _check_lags(records, quantities)
    written = schedule(
        records, quantities.length, quantities.lag, _boundaries(records, carry, changed) if changes else False
    )
    infused = np.unique(written.infusions.into[written.infusions.present])
    chosen = plan(model, wanted, (), tuple(int(i) for i in infused), method, tolerances)
    if chosen.way != "exact" and (records.ss == 2).any():
        raise InputError(
            "SS 2 adds a steady state to what is there, and states that are integrated do not add; write the two "
            "doses as SS 1 records of their own, or give the doses without SS"
        )
    steady = np.unique(records.cmt[records.ss > 0])
    restarted = changes and any(one.states for one in model.responses) and bool(written.acts.clears.any())
    found = Prepared(
        records=records,
        schedule=written,
        plan=chosen,
        outputs=wanted,
        carry=carry if changes else None,
        entered=tuple(range(len(states)))
        if steady.size or restarted
        else tuple(int(i) for i in np.unique(records.cmt[records.is_dose])),
        repeated=tuple(int(i) for i in steady),
        restarted=restarted,
        read=read,
    )
    asked = (one for route in model.routes for one in (route.lag, route.bioavailability, route.rate, route.duration))
    return (
        found
        if steady.size or restarted or any(asked)
        else replace(found, written=segments(found, quantities, None, np))
    )


def segments(
    prepared: Prepared, quantities: Quantities, added: Float[Any, "act state subject"] | None, xp: Any
) -> tuple[Course, Rows]:
    """What the records are with these numbers, and where those that are read lie."""
    line = course(
        prepared.schedule,
        quantities,
        len(prepared.plan.model.states),
        prepared.plan.infused,
        prepared.entered,
        added,
        xp,
    )
    here = prepared.rows_read(xp)
    time = quantities.time if prepared.read is None else xp.take_along_axis(quantities.time, here, axis=0)
    return line, Rows(*locate(line, time, here, xp))


def _boundaries(
    records: Records, carry: Carry | None, changed: Bool[np.ndarray, "record subject"] | None
) -> Bool[np.ndarray, "record subject"]:
    """The records at whose time one set of parameters gives way to the next."""
    if changed is None:
        return np.ones(records.time.shape, dtype=bool)
    if carry == "locf":
        return changed
    return np.concatenate([changed[1:], np.zeros_like(changed[:1])])  # NOCB: those of a record hold before it


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


def quantities_of(
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
                f"E-SS-LAG: subject {subject}, record {record}: lag {q.lag[record, subject]:g} h, II "
                f"{q.interval[record, subject]:g} h; {rule}"
            )
