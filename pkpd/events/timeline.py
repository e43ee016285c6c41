"""From doses to segments: when something enters which state, sorted, one column per subject.

This is the only place that knows what a dose record means. Between two boundaries nothing enters and nothing
switches, so a solver that stops at each boundary cannot step over a dose.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Doses:
    """Doses of a batch, row by row; every subject has the same rows, an absent dose has amount 0.

    time [h], amount (bioavailability not yet applied), duration [h] (0: at once), lag [h], bioavailability:
    each `[dose, subject]`. `into[dose]`: index of the compartment that receives it.
    """

    time: Float[np.ndarray, "dose subject"]
    amount: Float[np.ndarray, "dose subject"]
    duration: Float[np.ndarray, "dose subject"]
    lag: Float[np.ndarray, "dose subject"]
    bioavailability: Float[np.ndarray, "dose subject"]
    into: Int[np.ndarray, " dose"]


@dataclass(frozen=True)
class Timeline:
    """Segments of a batch. Segment s of subject b starts at `start[s, b]` [h] and lasts `duration[s, b]` [h].

    At its start `jump[s, compartment, b]` is added to the amounts; while it lasts, the compartments `infused`
    receive `rate[s, i, b]` [amount/h].
    """

    start: Float[np.ndarray, "segment subject"]
    duration: Float[np.ndarray, "segment subject"]
    jump: Float[np.ndarray, "segment compartment subject"]
    rate: Float[np.ndarray, "segment infused subject"]
    infused: tuple[int, ...]


def timeline(doses: Doses, compartments: int, begin: float, end: float) -> Timeline:
    """Sort what happens between `begin` and `end` [h] into segments.

    A dose arrives at time + lag as amount x bioavailability. One with a duration runs at the constant rate
    amount x bioavailability / duration from its arrival on; one too short for the clock to see is given at once.
    What would arrive at `end` or later is left out.
    """
    subjects = doses.time.shape[1]
    arrival = doses.time + doses.lag
    given = doses.amount * doses.bioavailability
    stop = arrival + doses.duration
    length = stop - arrival  # as the clock rounds it, so that rate x length is the whole dose
    running = length > 0
    infusions = [row for row in range(len(doses.into)) if running[row].any()]
    infused = tuple(sorted({int(doses.into[row]) for row in infusions}))

    jump = np.zeros((1 + len(doses.into) + len(infusions), compartments, subjects))
    times = [np.full((1, subjects), begin), arrival]
    for row, compartment in enumerate(doses.into):
        jump[1 + row, compartment] = np.where(running[row], 0.0, given[row])
    times += [stop[row][None] for row in infusions]
    time = np.concatenate(times)
    late = time >= end
    jump[late[:, None, :] & np.ones_like(jump, dtype=bool)] = 0.0
    time = np.where(late, end, time)
    order = np.argsort(time, axis=0, kind="stable")
    start = np.take_along_axis(time, order, axis=0)
    boundary = np.concatenate([start, np.full((1, subjects), end)])

    # The rate is summed anew for each segment: adding at the start and subtracting at the stop of an infusion
    # would leave the rounding of their sums running for ever.
    rate = np.zeros((len(start), len(infused), subjects))
    for row in infusions:
        on = (start >= arrival[row]) & (start < stop[row])
        speed = given[row] / np.where(running[row], length[row], 1.0)
        rate[:, infused.index(int(doses.into[row]))] += np.where(on & running[row], speed, 0.0)
    return Timeline(
        start,
        np.diff(boundary, axis=0),
        np.take_along_axis(jump, order[:, None, :], axis=0),
        rate,
        infused,
    )
