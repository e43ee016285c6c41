"""Schedules of the oracle's records, as the records and parameters of the engine."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from oracles.expm_events import OTHER, Record

from pkpd.events.records import Records
from pkpd.models.model import OUT, LinearBlock, Model, Parameter, Readout, Route, State, Values


@cache
def dosed(peripherals: int = 0, stages: int = 0) -> Model:
    """A linear model whose every compartment may be dosed, with lag, F, rate and duration of its own.

    Compartment i (from 1) has `lag<i>`, `f<i>`, `rate<i>`, `dur<i>`; outputs are the amounts `a<i>`.
    """
    outer = range(2, 2 + peripherals)
    absorbing = [f"depot{i}" for i in range(1, stages + 1)]
    names = [*absorbing, "central", *(f"peripheral{i}" for i in outer)]

    def rates(p: Values) -> dict[tuple[str, str], object]:
        found = {("central", OUT): p.cl / p.v1}
        for source, destination in zip(absorbing, [*absorbing[1:], "central"], strict=False):
            found[source, destination] = p.ka
        for i in outer:
            found["central", f"peripheral{i}"] = getattr(p, f"q{i}") / p.v1
            found[f"peripheral{i}", "central"] = getattr(p, f"q{i}") / getattr(p, f"v{i}")
        return found

    numbers = range(1, len(names) + 1)
    kinetic = [*(["ka"] if stages else []), "cl", "v1", *(f"{kind}{i}" for i in outer for kind in ("q", "v"))]
    dosing = [f"{kind}{i}" for i in numbers for kind in ("lag", "f", "rate", "dur")]
    return Model(
        name="dosed",
        title="",
        parameters=tuple(Parameter(symbol, "", "") for symbol in (*kinetic, *dosing)),
        linear=LinearBlock(
            states=tuple(State(name, "mg", "") for name in names),
            rates=rates,
            readouts=tuple(
                Readout(f"a{i}", "mg", "", lambda p, name=name: {name: 1.0}, "") for i, name in enumerate(names, 1)
            ),
            equations=(),
        ),
        routes=tuple(
            Route(f"into {name}", name, bioavailability=f"f{i}", lag=f"lag{i}", rate=f"rate{i}", duration=f"dur{i}")
            for i, name in enumerate(names, 1)
        ),
    )


def records_of(schedules: Sequence[Sequence[Record]]) -> Records:
    """One column a schedule, padded by records that do nothing. Real parts only."""
    longest = max(map(len, schedules))
    columns = [[*records, *[Record(records[-1].time, OTHER)] * (longest - len(records))] for records in schedules]

    def field(name: str, kind: type) -> NDArray:
        return np.array([[kind(np.real(getattr(column[k], name))) for column in columns] for k in range(longest)])

    return Records(
        time=field("time", float),
        evid=field("evid", int),
        cmt=field("cmt", int) - 1,
        amt=field("amt", float),
        rate=field("rate", float),
        dur=field("dur", float),
        addl=field("addl", int),
        ii=field("ii", float),
        ss=field("ss", int),
    )


def dosing_parameters(model: Model, schedules: Sequence[Sequence[Record]], constant: bool) -> dict[str, NDArray]:
    """`lag<i>` and `f<i>` of each compartment: those of a subject's first dose into it, or as each record has them."""
    records = records_of(schedules)
    found: dict[str, NDArray] = {}
    for place in range(len(model.states)):
        for kind, name, usual in (("lag", "lag", 0.0), ("f", "bioavailability", 1.0)):
            values = np.full(records.time.shape, usual)
            for b, schedule in enumerate(schedules):
                mine = [
                    (k, float(np.real(getattr(r, name))))
                    for k, r in enumerate(schedule)
                    if r.cmt == place + 1 and r.evid in (1, 4)
                ]
                for k, value in mine:
                    values[k, b] = mine[0][1] if constant else value
                if constant:
                    values[:, b] = mine[0][1] if mine else usual
            found[f"{kind}{place + 1}"] = values[0] if constant else values
        found |= {f"{kind}{place + 1}": np.ones(len(schedules)) for kind in ("rate", "dur")}
    return found
