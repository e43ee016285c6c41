"""What tests of the engine are made of: models whose solution is known, doses in one line, rows of the library.

Compartment models carry every amount as an output, the rate at which drug leaves the body as another, so that an
oracle can be compared state by state and a balance drawn up. Parameters follow `oracles.linear_models`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from oracles.expm_events import DOSE, Record

from pkpd.events.doses import Doses
from pkpd.models.illustration import ILLUSTRATIONS
from pkpd.models.library import model
from pkpd.models.model import OUT, LinearBlock, Model, Parameter, Readout, Response, State, Values
from pkpd.population.virtual import literature_of, typical_values


def amount(state: str) -> str:
    """Name of the output that is the amount in `state`."""
    return f"amount in {state}"


LEAVING = "leaving"
"""Name of the output that is the rate at which drug leaves the body."""


def with_every_amount(whole: Model) -> Model:
    """The same model whose linear outputs are joined by each amount and by the rate of elimination."""
    block = whole.linear
    assert block is not None

    def leaving(p: Values) -> dict[str, object]:
        return {source: rate for (source, destination), rate in block.rates(p).items() if destination == OUT}

    amounts = tuple(Readout(amount(name), "mg", "", lambda p, name=name: {name: 1.0}, "") for name in block.names)
    out = Readout(LEAVING, "mg/h", "", leaving, "")
    return replace(whole, linear=replace(block, readouts=(*block.readouts, *amounts, out)))


@cache
def compartments(peripherals: int = 0, stages: int = 0) -> Model:
    """Central compartment, `peripherals` exchanging with it, `stages` of absorption at rate `ka` before it."""
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

    symbols = ["ka"] if stages else []
    symbols += ["cl", "v1", *(f"{kind}{i}" for i in outer for kind in ("q", "v"))]
    block = LinearBlock(
        states=tuple(State(name, "mg", "") for name in names),
        rates=rates,
        readouts=(Readout("conc", "mg/L", "", lambda p: {"central": 1.0 / p.v1}, ""),),
        equations=(),
    )
    plain = Model(
        name=f"{1 + peripherals} compartments, {stages} stages",
        title="",
        parameters=tuple(Parameter(symbol, "", "") for symbol in symbols),
        linear=block,
    )
    return with_every_amount(plain)


@cache
def turnover(name: str = "response", symbol: str = "k") -> Model:
    """y' = k (conc - y), y(0) = 0: integrated by the engine, linear to an oracle."""
    return Model(
        name=name,
        title="",
        parameters=(Parameter(symbol, "", "1/h"),),
        responses=(
            Response(
                states=(State(name, "mg/L", ""),),
                inputs=("conc",),
                initial=lambda p: {name: 0.0 * getattr(p, symbol)},
                derivative=lambda y, u, p: {name: getattr(p, symbol) * (u.conc - getattr(y, name))},
                equations=(),
            ),
        ),
    )


def response(derivative: Callable[[Values, Values, Values], Mapping[str, object]], symbols: str = "a") -> Model:
    """A response `y` to `conc` from y(0) = 1, with parameters of any sign."""
    return Model(
        name="custom",
        title="",
        parameters=tuple(Parameter(symbol, "", "", lower=-np.inf) for symbol in symbols.split()),
        responses=(
            Response(
                states=(State("y", "", ""),),
                inputs=("conc",),
                initial=lambda p: {"y": 1.0 + 0.0 * getattr(p, symbols.split()[0])},
                derivative=derivative,
                equations=(),
            ),
        ),
    )


def doses(
    time: ArrayLike,
    amount: ArrayLike = 100.0,
    *,
    into: int | Sequence[int] = 0,
    subjects: int = 1,
    duration: ArrayLike = 0.0,
    lag: ArrayLike = 0.0,
    bioavailability: ArrayLike = 1.0,
) -> Doses:
    """One row for each `time` ([dose] or [dose, subject]); all else is spread to [dose, subject]."""
    at = np.asarray(time, dtype=float)
    at = np.repeat(at[:, None], subjects, axis=1) if at.ndim == 1 else at

    def spread(value: ArrayLike) -> NDArray:
        given = np.asarray(value, dtype=float)
        return np.broadcast_to(given[:, None] if given.ndim == 1 else given, at.shape).copy()

    return Doses(
        time=at,
        amount=spread(amount),
        duration=spread(duration),
        lag=spread(lag),
        bioavailability=spread(bioavailability),
        into=np.broadcast_to(np.asarray(into), len(at)).copy(),
    )


def joined(*parts: Doses) -> Doses:
    """All rows of `parts`, in that order."""
    return Doses(*(np.concatenate([getattr(part, field) for part in parts]) for field in Doses.__annotations__))


def at_arrival(records: Sequence[Record]) -> list[Record]:
    """Each dose that `records` stand for, at the time of its arrival, with F spent and no lag or repeats left."""
    found = []
    for record in records:
        if record.evid != DOSE:
            continue
        given = record.bioavailability * record.amt
        length = given / record.rate if record.rate else record.dur
        for k in range(record.addl + 1):
            time = record.time + record.lag + k * record.ii
            found.append(Record(time, DOSE, given, record.cmt, dur=length))
    return found


def doses_of(schedules: Sequence[Sequence[Record]]) -> Doses:
    """The dose records of several subjects as rows they share: repeats written out, absent doses of amount 0."""
    columns: list[dict[int, list[Record]]] = []
    for records in schedules:
        into: dict[int, list[Record]] = {}
        for record in records:
            if record.evid != DOSE:
                continue
            for k in range(record.addl + 1):
                into.setdefault(record.cmt - 1, []).append(replace(record, time=record.time + k * record.ii))
        columns.append(into)
    rows = [
        (compartment, number)
        for compartment in sorted({c for column in columns for c in column})
        for number in range(max(len(column.get(compartment, [])) for column in columns))
    ]
    shape = (len(rows), len(schedules))
    time, given, duration, lag = (np.zeros(shape) for _ in range(4))
    bioavailability = np.ones(shape)
    for b, column in enumerate(columns):
        for row, (compartment, number) in enumerate(rows):
            if number < len(column.get(compartment, [])):
                record = column[compartment][number]
                length = record.bioavailability * record.amt / record.rate if record.rate else record.dur
                values = (record.time, record.amt, length, record.lag, record.bioavailability)
                for field, value in zip((time, given, duration, lag, bioavailability), values, strict=True):
                    field[row, b] = value
    return Doses(time, given, duration, lag, bioavailability, np.array([c for c, _ in rows]))


def draws(typical: Mapping[str, float], count: int, seed: int, spread: float = 0.5) -> dict[str, NDArray]:
    """Parameters of `count` subjects: typical value times exp(normal(0, spread))."""
    rng = np.random.default_rng(seed)
    return {name: value * np.exp(rng.normal(0.0, spread, count)) for name, value in typical.items()}


def scaled_error(found: NDArray, truth: NDArray, axis: int | tuple[int, ...] = 0, floor: float = 1e-6) -> float:
    """Largest |found - truth| / max(|truth|, floor peak), the peak taken along `axis`."""
    divisor = np.maximum(np.abs(truth), floor * np.abs(truth).max(axis=axis, keepdims=True))
    return float((np.abs(found - truth) / np.where(divisor > 0, divisor, 1.0)).max())


@dataclass(frozen=True)
class Row:
    """A library model and what must stand on its left before it can be solved.

    values: of the parameters that have no typical value in the literature. dose: one that shows an effect.
    """

    name: str
    driver: str | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    dose: float = 1e6

    @property
    def alone(self) -> Model:
        return model(self.name)

    @property
    def whole(self) -> Model:
        return model(self.driver) >> self.alone if self.driver else self.alone

    def subjects(self, count: int = 1) -> dict[str, NDArray]:
        """Parameters of `whole` for `count` like subjects: typical values, and those stated."""
        typical = typical_values(literature_of(self.whole)) | ILLUSTRATIONS[self.name].stated()
        return {name: np.full(count, value) for name, value in typical.items()}


LIBRARY = tuple(Row(name, one.driver, one.values, one.dose) for name, one in ILLUSTRATIONS.items())
