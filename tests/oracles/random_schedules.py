"""Dosing histories drawn at random, the same for the same seed.

Every time, lag, interval and given duration is a multiple of 1/64 h, so that sums of them are exact in
binary and "the dose arrives just when the sample is drawn" happens, often, and means the same to everyone.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from oracles.expm_events import DOSE, OBSERVATION, RESET, RESET_AND_DOSE, Record, by_time

GRID = 64  # parts of an hour


def _on_grid(hours: float) -> float:
    return round(hours * GRID) / GRID


def random_dose(rng: np.random.Generator, time: float, into: Sequence[int], *, steady: bool) -> Record:
    """A bolus or an infusion by rate or by duration, with F, lag and repeats, perhaps at steady state."""
    amount = float(rng.uniform(10, 200))
    duration = _on_grid(rng.uniform(0.25, 20))
    form = rng.choice(["bolus", "rate", "duration"])
    ii = _on_grid(rng.uniform(6, 30))
    ss = int(rng.choice([1, 2])) if steady else 0
    return Record(
        time,
        RESET_AND_DOSE if rng.random() < 0.1 else DOSE,
        amount,
        int(rng.choice(into)),
        rate=amount / duration if form == "rate" else 0.0,
        dur=duration if form == "duration" else 0.0,
        addl=int(rng.integers(0, 6)),
        ii=ii,
        ss=ss,
        lag=_on_grid(rng.uniform(0, 5)) if rng.random() < 0.5 else 0.0,
        bioavailability=float(rng.uniform(0.2, 1.2)) if rng.random() < 0.5 else 1.0,
    )


def random_schedule(
    rng: np.random.Generator,
    into: Sequence[int],
    *,
    hours: float = 120.0,
    doses: int = 4,
    samples: int = 20,
    steady_states: bool = True,
    resets: bool = True,
) -> list[Record]:
    """A patient's records in time order, beginning with a dose at time 0.

    `into` lists the compartments (from 1) that may be dosed. Half of the samples fall on whole multiples
    of a quarter of an hour, and some exactly on a dose record or an arrival, before it in the table or after,
    as half of the resets do.
    """
    records = []
    for k in range(doses):
        time = 0.0 if k == 0 else _on_grid(rng.uniform(0, hours))
        steady = steady_states and rng.random() < 0.3
        dose = random_dose(rng, time, into, steady=steady)
        if dose.evid == RESET_AND_DOSE and not resets:
            dose = replace(dose, evid=DOSE)
        records.append(dose)
    arrivals = [d.time + d.lag + k * d.ii for d in records for k in range(d.addl + 1)]
    at_doses = [d.time for d in records]
    if resets and rng.random() < 0.3:
        time = float(rng.choice(arrivals)) if rng.random() < 0.5 else _on_grid(rng.uniform(0, hours))
        records.append(Record(time, RESET))

    for _ in range(samples):
        chance = rng.random()
        if chance < 0.1:
            time = float(rng.choice(at_doses))
        elif chance < 0.3:
            time = float(rng.choice(arrivals))
        elif chance < 0.65:
            time = round(rng.uniform(0, hours) * 4) / 4
        else:
            time = _on_grid(rng.uniform(0, hours))
        records.append(Record(time, OBSERVATION))

    first, rest = records[0], [records[i] for i in 1 + rng.permutation(len(records) - 1)]
    return [first, *by_time(rest)]


def short_infusion(rng: np.random.Generator, cmt: int, *, year: float = 8760.0) -> list[Record]:
    """One infusion of a second to an hour somewhere in a year, sampled before, during and after it.

    The sparse case in which a solver that looks only at its own steps sees no dose at all.
    """
    start = float(rng.uniform(0.1, 1.0)) * year
    duration = float(np.exp(rng.uniform(np.log(1 / 3600), 0.0)))
    times = [0.0, start, start + duration / 3, start + duration, start + duration + rng.uniform(0.1, 12)]
    dose = Record(start, DOSE, float(rng.uniform(10, 200)), cmt, dur=duration)
    samples = [Record(float(time), OBSERVATION) for time in times]
    return [samples[0], dose, *samples[1:]]


def random_rates(rng: np.random.Generator, typical: Sequence[float], *, spread: float = 0.7) -> list[float]:
    """Parameters exp(normal(0, spread)) times their typical values."""
    return [float(value) for value in np.asarray(typical) * np.exp(rng.normal(0.0, spread, len(typical)))]
