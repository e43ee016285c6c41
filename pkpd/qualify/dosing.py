"""The dosing scenarios a user reruns on an own machine: what the engine makes of records, against NONMEM's print.

One compartment with first-order absorption, CL 1.1 L/h, V 20 L, ka 1.5 /h; concentrations in ng/mL for doses in mg.
Lag and bioavailability belong to the central compartment and to each record.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from pkpd.engine.predict import predict
from pkpd.engine.prepare import prepare
from pkpd.events.records import DOSE, OBSERVATION, OTHER, RESET, RESET_AND_DOSE, Records
from pkpd.models.model import OUT, LinearBlock, Model, Parameter, Readout, Route, State
from pkpd.storage import shipped

CL, V, KA = 1.1, 20.0, 1.5

_ACTS = {"dose": DOSE, "reset": RESET, "reset and dose": RESET_AND_DOSE}
_INTO = {"depot": 0, "central": 1, "": 0}

MODEL = Model(
    name="qualification",
    title="one compartment, first-order absorption",
    parameters=tuple(
        Parameter(symbol, meaning, unit)
        for symbol, meaning, unit in (
            ("ka", "absorption rate", "1/h"),
            ("cl", "clearance", "L/h"),
            ("v", "volume", "L"),
            ("lag", "lag of doses into central", "h"),
            ("f", "bioavailability of doses into central", "1"),
        )
    ),
    linear=LinearBlock(
        states=(State("depot", "mg", "amount to absorb"), State("central", "mg", "amount in plasma")),
        rates=lambda p: {("depot", "central"): p.ka, ("central", OUT): p.cl / p.v},
        readouts=(
            Readout("conc", "ng/mL", "concentration", lambda p: {"central": 1000.0 / p.v}, "conc = 1000 central / v"),
        ),
        equations=("depot' = -ka depot", "central' = ka depot - (cl/v) central"),
    ),
    routes=(Route("oral", "depot"), Route("iv", "central", bioavailability="f", lag="lag")),
)


@dataclass(frozen=True)
class Scenario:
    """How one scenario came out.

    max_rel_difference: largest |ours - printed| over the largest of the printed value and a millionth of the peak.
    within: whether every value rounds to the five digits printed, allowing 1 % of half a unit of the fifth.
    """

    scenario: int
    holds: str
    oracle: str
    max_rel_difference: float
    within: bool


def scenarios() -> list[Scenario]:
    """All dosing scenarios through the engine, beside what NONMEM printed."""
    doses, printed, texts = (_table(name) for name in ("doses.csv", "concentrations.csv", "scenarios.csv"))
    numbers = [int(row["scenario"]) for row in texts]
    columns = [_column([row for row in doses if int(row["scenario"]) == number], printed) for number in numbers]
    longest = max(map(len, columns))
    last = float(printed[-1]["hour"])
    padded = [[*column, *[_Row(last, OTHER)] * (longest - len(column))] for column in columns]

    def field(name: str, kind: type) -> np.ndarray:
        return np.array([[kind(getattr(column[k], name)) for column in padded] for k in range(longest)])

    records = Records(
        **{name: field(name, float) for name in ("time", "amt", "rate", "dur", "ii")},
        **{name: field(name, int) for name in ("evid", "cmt", "addl", "ss")},
    )
    parameters = {name: np.full(len(numbers), value) for name, value in (("ka", KA), ("cl", CL), ("v", V))}
    parameters |= {"lag": field("lag", float), "f": field("f", float)}
    prepared = prepare(MODEL, records, parameters, carry="nocb")
    conc = np.asarray(jax.jit(predict)(prepared, parameters)["conc"])
    found = []
    for b, (number, row) in enumerate(zip(numbers, texts, strict=True)):
        sampled = [k for k, record in enumerate(columns[b]) if record.evid == OBSERVATION]
        shown = [hour[f"scenario_{number}"] for hour in printed]
        difference, within = _compared(conc[sampled, b], shown)
        found.append(Scenario(number, row["holds"], "NONMEM", difference, within))
    return found


@dataclass(frozen=True)
class _Row:
    time: float
    evid: int
    cmt: int = 0
    amt: float = 0.0
    rate: float = 0.0
    dur: float = 0.0
    addl: int = 0
    ii: float = 0.0
    ss: int = 0
    lag: float = 0.0
    f: float = 1.0


def _table(name: str) -> list[dict[str, str]]:
    text = shipped(f"qualification/dosing/{name}").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _column(doses: Sequence[Mapping[str, str]], printed: Sequence[Mapping[str, str]]) -> list[_Row]:
    """The records of one scenario; samples follow every other record of their time."""
    events = [
        _Row(
            time=float(row["hour"]),
            evid=_ACTS[row["act"]],
            cmt=_INTO[row["into"]],
            amt=float(row["amount"] or 0),
            rate=float(row["rate"] or 0),
            dur=float(row["hours"] or 0),
            addl=int(row["repeats"] or 0),
            ii=float(row["every"] or 0),
            ss=int(row["steady"] or 0),
            lag=float(row["lag_central"] or 0) if row["into"] == "central" else 0.0,
            f=float(row["fraction_central"] or 1) if row["into"] == "central" else 1.0,
        )
        for row in doses
    ]
    samples = [_Row(float(row["hour"]), OBSERVATION) for row in printed]
    return sorted([*events, *samples], key=lambda row: row.time)


def _compared(found: np.ndarray, shown: Sequence[str]) -> tuple[float, bool]:
    numbers = np.array([float(text) for text in shown])
    scale = np.maximum(np.abs(numbers), 1e-6 * np.abs(numbers).max())
    halves = [0.5 * 10.0 ** (math.floor(math.log10(abs(number))) - 4) if number else 0.0 for number in numbers.tolist()]
    within = bool((np.abs(found - numbers) <= 1.01 * np.array(halves)).all())
    return float((np.abs(found - numbers) / scale).max()), within
