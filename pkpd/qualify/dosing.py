"""The dosing scenarios a user reruns on an own machine: what the engine makes of records, by each of its paths.

One compartment with first-order absorption, CL 1.1 L/h, V 20 L, ka 1.5 /h; concentrations in ng/mL for doses in mg.
Lag and bioavailability belong to the central compartment and to each record. The exact path is held against what NONMEM
printed; the explicit and the stiff path solve the same equations as an integrated model and are held against the exact
path.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pkpd.engine.compiler import quickly
from pkpd.engine.predict import predict
from pkpd.engine.prepare import prepare
from pkpd.events.records import DOSE, OBSERVATION, OTHER, RESET, RESET_AND_DOSE, Records
from pkpd.models.model import OUT, LinearBlock, Model, Parameter, Readout, Response, Route, State
from pkpd.storage import shipped

CL, V, KA = 1.1, 20.0, 1.5

AGREEMENT = 1e-6
"""How far an integrated path may be from the exact one, as part of the peak: ten times the default tolerance."""

Path = Literal["exact", "explicit", "stiff"]
METHODS: dict[Path, str] = {"explicit": "tsit5", "stiff": "rodas5p"}

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


INTEGRATED = Model(
    name="qualification, integrated",
    title="the same equations, integrated",
    parameters=MODEL.parameters,
    responses=(
        Response(
            states=MODEL.compartments.states,
            inputs=(),
            initial=lambda p: {"depot": 0.0 * p.ka, "central": 0.0 * p.ka},
            derivative=lambda y, u, p: {
                "depot": -p.ka * y.depot,
                "central": p.ka * y.depot - p.cl / p.v * y.central,
            },
            equations=MODEL.compartments.equations,
        ),
    ),
    routes=MODEL.routes,
)


@dataclass(frozen=True)
class Scenario:
    """How one scenario came out by one path.

    max_rel_difference: of the exact path, the largest |ours - printed| over the largest of the printed value and a
    millionth of the peak; of the others, the largest |integrated - exact| over the peak.
    within: of the exact path, whether every value rounds to the five digits printed, allowing 1 % of half a unit of the
    fifth; of the others, whether the difference is at most `AGREEMENT`.
    """

    scenario: int
    path: Path
    holds: str
    oracle: str
    max_rel_difference: float
    within: bool


@dataclass(frozen=True)
class NotShared:
    """A scenario that a path does not take, and why."""

    scenario: int
    path: Path
    reason: str


@dataclass(frozen=True)
class Qualification:
    """Every scenario by every path that takes it, and those that one does not take."""

    scenarios: list[Scenario]
    not_shared: list[NotShared]


def qualify_dosing() -> Qualification:
    """All dosing scenarios by the exact path, beside what NONMEM printed, and by the integrating paths beside that."""
    doses, printed, texts = (_table(name) for name in ("doses.csv", "concentrations.csv", "scenarios.csv"))
    holds = {int(row["scenario"]): row["holds"] for row in texts}
    numbers = list(holds)
    columns = [_column([row for row in doses if int(row["scenario"]) == number], printed) for number in numbers]
    found: list[Scenario] = []
    shown: dict[int, np.ndarray] = {}
    for number, exact in zip(numbers, _concentrations(MODEL, columns, "auto"), strict=True):
        shown[number] = exact
        difference, within = _compared(exact, [hour[f"scenario_{number}"] for hour in printed])
        found.append(Scenario(number, "exact", holds[number], "NONMEM", difference, within))

    # A steady state of integrated states is a fixed point of its own: it cannot be added to what is there.
    adds = {number for number, column in zip(numbers, columns, strict=True) if any(row.ss == 2 for row in column)}
    shared = [(number, column) for number, column in zip(numbers, columns, strict=True) if number not in adds]
    for path, method in METHODS.items():
        values = _concentrations(INTEGRATED, [column for _, column in shared], method)
        for (number, _), value in zip(shared, values, strict=True):
            difference = float(np.abs(value - shown[number]).max() / np.abs(shown[number]).max())
            found.append(Scenario(number, path, holds[number], "exact path", difference, difference <= AGREEMENT))
    reason = "SS 2 adds a steady state to what is there, and states that are integrated do not add"
    return Qualification(found, [NotShared(number, path, reason) for path in METHODS for number in sorted(adds)])


_predicted = quickly(predict)


def _concentrations(model: Model, columns: Sequence[Sequence["_Row"]], method: str) -> list[np.ndarray]:
    """Concentrations [ng/mL] at the samples of each scenario; one batch, so that one shape is compiled."""
    longest = max(map(len, columns))
    last = max(column[-1].time for column in columns)
    padded = [[*column, *[_Row(last, OTHER)] * (longest - len(column))] for column in columns]

    def field(name: str, kind: type) -> np.ndarray:
        return np.array([[kind(getattr(column[k], name)) for column in padded] for k in range(longest)])

    records = Records(
        **{name: field(name, float) for name in ("time", "amt", "rate", "dur", "ii")},
        **{name: field(name, int) for name in ("evid", "cmt", "addl", "ss")},
    )
    parameters = {name: np.full(len(columns), value) for name, value in (("ka", KA), ("cl", CL), ("v", V))}
    parameters |= {"lag": field("lag", float), "f": field("f", float)}
    output = "conc" if model.linear else "central"
    prepared = prepare(model, records, parameters, outputs=[output], carry="nocb", method=method)
    found = np.asarray(_predicted(prepared, parameters)[output])
    found = found if model.linear else 1000.0 / V * found
    sampled = [[k for k, row in enumerate(column) if row.evid == OBSERVATION] for column in columns]
    return [found[rows, b] for b, rows in enumerate(sampled)]


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
