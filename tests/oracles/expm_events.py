"""An exact, slow answer to "what do these dosing records do to a linear compartment system?".

The system is x' = A x + u(t), with amounts x, a constant rate matrix A between two records, and piecewise
constant infusions u. Between two happenings the solution is one matrix exponential,

    d/dt (x, 1) = [[A, u], [0, 0]] (x, 1),

so nothing is approximated and no step can pass over a dose. Steady state is the solution of
(I - exp(A II)) x = b, with b what one interval adds to an empty system.

Records follow NONMEM's conventions (Bauer, NONMEM Users Guide, help items EVID, SS, ADDL, RATE); what is
meant by each is written in docs/semantics.md. Compartments count from 1, as in a data table.

Numbers may be complex: order in time is decided by real parts, so a perturbation of 1e-20j in a
parameter, dose, lag, duration or time carries its exact derivative to the result (complex-step
differentiation, Squire and Trapp 1998, doi:10.1137/S003614459631241X).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from oracles.matrix_exponential import matrix_exponential

OBSERVATION, DOSE, OTHER, RESET, RESET_AND_DOSE = range(5)


@dataclass(frozen=True)
class Record:
    """One row of a patient's table.

    A dose (EVID 1 or 4) is a bolus where `rate` and `dur` are both 0, an infusion at a set rate where
    `rate` is given, and an infusion of a set length where `dur` is given. A modelled rate or duration
    (RATE -1, -2) is written here as its value. `lag` and `bioavailability` are those of the compartment
    and of this record; they hold for every dose the record stands for.
    """

    time: complex
    evid: int = OBSERVATION
    amt: complex = 0.0
    cmt: int = 1
    rate: complex = 0.0
    dur: complex = 0.0
    addl: int = 0
    ii: complex = 0.0
    ss: int = 0
    lag: complex = 0.0
    bioavailability: complex = 1.0


@dataclass(frozen=True)
class Arrival:
    """What reaches a compartment at one moment: `amount` at once, or `rate` from then on for `duration`."""

    time: complex
    cmt: int
    amount: complex = 0.0
    rate: complex = 0.0
    duration: complex = 0.0

    def later(self, by: complex) -> "Arrival":
        return replace(self, time=self.time + by)


@dataclass(frozen=True)
class Infusion:
    """Running now, and for `left` hours more."""

    cmt: int
    rate: complex
    left: complex


def _real(value: complex) -> float:
    return float(np.real(value))


def by_time(records: Iterable[Record]) -> list[Record]:
    """In time order; records of equal time stay as they are given."""
    return sorted(records, key=lambda record: _real(record.time))


def _narrow(value: complex) -> complex:
    """The same number, real where nothing imaginary is in it, so that real problems stay real."""
    return value if np.imag(value) != 0 else _real(value)


def _vector(n: int, cmt: int, value: complex) -> NDArray:
    """Zero but for compartment `cmt`."""
    vector = np.zeros(n, dtype=np.result_type(_narrow(value), float))
    vector[cmt - 1] = _narrow(value)
    return vector


@dataclass
class _Body:
    """Amounts at a moment, the infusions running then, and the doses still under way.

    An infusion knows how long it has left, not when it ends: after months the last digit of the clock is a
    noticeable part of an infusion of a second.
    """

    amounts: NDArray
    time: complex
    running: list[Infusion] = field(default_factory=list)
    pending: list[Arrival] = field(default_factory=list)

    def advance(self, rates: NDArray, until: complex) -> None:
        """Moves to `until`, with everything that arrives or ends on the way, or just then."""
        length, nothing = until - self.time, np.zeros(len(rates))
        # when, counted from now; what is added; infusions that start; infusions that end
        happenings: list[tuple[complex, NDArray, list[Infusion], list[Infusion]]]
        happenings = [(infusion.left, nothing, [], [infusion]) for infusion in self.running]
        for dose in self.pending:
            if _real(dose.time) > _real(until):
                continue
            at = dose.time - self.time
            if _real(dose.duration) > 0:
                infusion = Infusion(dose.cmt, dose.rate, left=at + dose.duration)
                happenings += [(at, nothing, [infusion], []), (infusion.left, nothing, [], [infusion])]
            else:
                happenings.append((at, _vector(len(rates), dose.cmt, dose.amount), [], []))
        self.pending = [dose for dose in self.pending if _real(dose.time) > _real(until)]

        now = 0.0
        for at, added, starting, ending in sorted(happenings, key=lambda happening: _real(happening[0])):
            if _real(at) > _real(length):
                break
            self._flow(rates, at - now)
            self.amounts = self.amounts + added
            self.running = [infusion for infusion in self.running if infusion not in ending] + starting
            now = at
        self._flow(rates, length - now)
        self.running = [replace(infusion, left=infusion.left - length) for infusion in self.running]
        self.time = until

    def _flow(self, rates: NDArray, hours: complex) -> None:
        if hours == 0:
            return
        n = len(rates)
        inflow = sum((_vector(n, infusion.cmt, infusion.rate) for infusion in self.running), np.zeros(n))
        unit = max(1.0, float(np.abs(inflow).max()))  # so that a fast infusion does not make a large matrix
        augmented = np.zeros((n + 1, n + 1), dtype=np.result_type(rates, inflow))
        augmented[:n, :n] = rates
        augmented[:n, n] = inflow / unit
        self.amounts = (matrix_exponential(augmented * _narrow(hours)) @ np.append(self.amounts, unit))[:n]


def _first_arrival(record: Record) -> Arrival:
    """The dose the record itself gives, without its repeats: F acts on what the record leaves open."""
    time = record.time + record.lag
    available = record.bioavailability * record.amt
    if _real(record.rate) > 0:  # the rate is given, so F changes how long it runs
        return Arrival(time, record.cmt, rate=record.rate, duration=available / record.rate)
    if _real(record.dur) > 0:  # the length is given, so F changes how fast it runs
        return Arrival(time, record.cmt, rate=available / record.dur, duration=record.dur)
    return Arrival(time, record.cmt, amount=available)


def _is_constant_infusion(record: Record) -> bool:
    return record.ss > 0 and _real(record.amt) == 0 and _real(record.rate) > 0


def _steady_state(rates: NDArray, record: Record) -> tuple[NDArray, list[Infusion]]:
    """Amounts at the record's time after an endless past of its doses, and infusions then running.

    The past is cut at the record, not at the dose: with a lag the record sees the end of the interval before.
    """
    n = len(rates)
    if np.linalg.eigvals(rates).real.max() >= -1e-12 * np.abs(rates).max():
        raise ValueError("no steady state: the system has an amount that is never eliminated")
    if _is_constant_infusion(record):
        return np.linalg.solve(rates, -_vector(n, record.cmt, record.rate)), []

    first = _first_arrival(record)
    age, running = record.ii - record.lag, []  # of the dose before this one, at the record
    while _real(age) < _real(first.duration):
        running.append(Infusion(first.cmt, first.rate, left=first.duration - age))
        age += record.ii

    interval = _Body(np.zeros(n), record.time, list(running), [first])
    interval.advance(rates, record.time + record.ii)
    carried_over = matrix_exponential(rates * _narrow(record.ii))
    return np.linalg.solve(np.eye(n) - carried_over, interval.amounts), running


def _check(record: Record, n: int) -> None:
    """Refuses what has no meaning, with the reason; what a table may hold at all is decided elsewhere."""
    real = {name: _real(getattr(record, name)) for name in ("amt", "rate", "dur", "ii", "lag")}
    rules = [
        (record.evid in range(5), "EVID must be 0, 1, 2, 3 or 4"),
        (1 <= record.cmt <= n, f"CMT must be one of the {n} compartments"),
        (all(value >= 0 for value in real.values()), "AMT, RATE, DUR, II and lag must not be negative"),
        (_real(record.bioavailability) >= 0, "bioavailability must not be negative"),
        (record.addl >= 0 and record.ss in (0, 1, 2), "ADDL must be 0 or more, SS one of 0, 1, 2"),
    ]
    if record.evid in (DOSE, RESET_AND_DOSE):
        endless = _is_constant_infusion(record)
        rules += [
            (real["rate"] == 0 or real["dur"] == 0, "RATE and DUR cannot both be given"),
            (real["amt"] > 0 or real["rate"] == 0 or endless, "an infusion needs an AMT"),
            (real["ii"] > 0 or record.addl == 0, "ADDL needs an II"),
            (real["ii"] > 0 or record.ss == 0 or endless, "SS needs an II"),
            (
                not endless or real["ii"] == real["lag"] == record.addl == 0,
                "an endless infusion has no II or lag",
            ),
            (
                record.ss == 0 or endless or real["lag"] < real["ii"],
                "at steady state the lag must be shorter than II: with a longer one the dose of this record "
                "is not the next to arrive, and what precedes it is not defined",
            ),
        ]
    else:
        rules.append((real["amt"] == 0 and record.ss == 0, "only EVID 1 and 4 may carry a dose"))
    for kept, rule in rules:
        if not kept:
            raise ValueError(f"{rule} ({record})")


def amounts_at_records(
    rates: ArrayLike,
    records: Sequence[Record],
    *,
    carry: Literal["nocb", "locf"] | None = None,
    initial: ArrayLike | None = None,
) -> NDArray:
    """The amounts just after each record: [record, compartment], in the order of the records.

    Args:
        rates: A [n, n] with A[to, from], 1/time; or one for each record, [record, n, n].
        records: of one patient, in time order; records of equal time act in the order given, after every
            delayed or additional dose that arrives at that time.
        carry: needed with one A a record. From record k - 1 to record k holds the A of k ("nocb", next
            observation carried backward, NONMEM's rule) or of k - 1 ("locf").
        initial: amounts before the first record and after each reset; zero if not given.

    Raises:
        ValueError: a record without meaning, times that go back, or SS where nothing is eliminated.
    """
    rates = np.asarray(rates)
    if carry not in (("nocb", "locf") if rates.ndim == 3 else (None,)):
        raise ValueError("one A a record needs `carry` ('nocb' or 'locf'), a single A does not take it")
    matrices = rates if rates.ndim == 3 else np.broadcast_to(rates, (len(records), *rates.shape))
    n = matrices.shape[-1]
    start = np.zeros(n) if initial is None else np.array(initial)

    body = _Body(start, records[0].time)
    answer = []
    for k, record in enumerate(records):
        _check(record, n)
        if _real(record.time) < _real(body.time):
            raise ValueError(f"times must not decrease ({record})")
        between = matrices[k - 1] if carry == "locf" and k > 0 else matrices[k]
        body.advance(between, record.time)

        if record.evid in (RESET, RESET_AND_DOSE):
            body = _Body(start, record.time)
        if record.evid in (DOSE, RESET_AND_DOSE):
            _give(body, matrices[k], record)
        answer.append(body.amounts)
    return np.array(answer)


def _give(body: _Body, rates: NDArray, record: Record) -> None:
    if record.ss:
        amounts, running = _steady_state(rates, record)
        if record.ss == 1:
            body.amounts, body.running, body.pending = amounts, running, []
        else:
            body.amounts, body.running = body.amounts + amounts, body.running + running
    first = _first_arrival(record)  # an endless infusion ends here: its AMT of 0 gives nothing more
    body.pending += [first.later(k * record.ii) for k in range(record.addl + 1)]
    body.advance(rates, record.time)  # what arrives at once is in the record's own answer


def observed(records: Sequence[Record], amounts: NDArray) -> NDArray:
    """The rows of `amounts` that belong to observation records (EVID 0), in record order."""
    return amounts[[record.evid == OBSERVATION for record in records]]
