"""Doses of a simulation, written out: no table, no repeats, each with a lag and a bioavailability of its own."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from pkpd.events.course import Course, Quantities, course
from pkpd.events.schedule import Acts, Arrivals, Schedule


@dataclass(frozen=True)
class Doses:
    """Doses of a batch, row by row; every subject has the same rows, an absent dose has amount 0.

    time [h], amount (bioavailability not yet applied), duration [h] (0: at once), lag [h], bioavailability:
    each `[dose, subject]`. `into[dose]`: index of the state that receives it.
    """

    time: Float[np.ndarray, "dose subject"]
    amount: Float[np.ndarray, "dose subject"]
    duration: Float[np.ndarray, "dose subject"]
    lag: Float[np.ndarray, "dose subject"]
    bioavailability: Float[np.ndarray, "dose subject"]
    into: Int[np.ndarray, " dose"]

    @property
    def of_all(self) -> "Doses | None":
        """Those of one subject, where they are the same for all."""
        names = ("time", "amount", "duration", "lag", "bioavailability")
        if any((getattr(self, name) != getattr(self, name)[:, :1]).any() for name in names):
            return None
        return replace(self, **{name: getattr(self, name)[:, :1] for name in names})


def infused_by(doses: Doses) -> tuple[int, ...]:
    """States that receive an infusion from any subject."""
    return tuple(int(i) for i in np.unique(doses.into[(doses.duration > 0).any(axis=1)]))


def course_of(doses: Doses, states: int, begin: float, end: float) -> Course:
    """What the doses mean between `begin` and `end` [h].

    A dose arrives at time + lag as amount x bioavailability. One with a duration runs at the constant rate
    amount x bioavailability / duration from its arrival on. What would arrive after `end` is left out.
    """
    count, subjects = doses.time.shape
    ends = np.full((1, subjects), 1.0)
    none = np.zeros((1, subjects))

    def framed(field: np.ndarray) -> np.ndarray:
        return np.concatenate([none, field, none])

    quantities = Quantities(
        time=np.concatenate([begin * ends, doses.time, end * ends]),
        given=framed(doses.amount * doses.bioavailability),
        length=framed(doses.duration),
        interval=framed(np.zeros_like(doses.time)),
        lag=framed(doses.lag),
        constant=framed(np.zeros_like(doses.time)),
    )
    infusion = (doses.duration > 0).any(axis=1)

    def arrivals(rows: np.ndarray) -> Arrivals:
        record = np.repeat((rows + 1)[:, None], subjects, axis=1)
        return Arrivals(
            record=record,
            repeat=np.zeros_like(record),
            into=np.repeat(doses.into[rows][:, None], subjects, axis=1),
            present=np.ones(record.shape, dtype=bool),
            ends_at=np.full_like(record, count + 2),
        )

    nobody = np.zeros((0, subjects), dtype=int)
    acts = Acts(nobody, *(nobody.astype(bool),) * 4)
    plan = Schedule(arrivals(np.flatnonzero(~infusion)), arrivals(np.flatnonzero(infusion)), acts)
    return course(plan, quantities, states, infused_by(doses), tuple(int(i) for i in np.unique(doses.into)))
