"""From records to segments: what enters which state and when, sorted, one column per subject.

This and its neighbours are the only place that knows what a dosing record means. Between two boundaries nothing
enters and nothing switches, so a solver that stops at each boundary cannot step over a dose. Everything is written
for NumPy and for JAX alike (`xp`): as numbers before a solve, or within it where boundaries depend on parameters.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from pkpd.events.schedule import Arrivals, Schedule

Array = Any
"""A NumPy or a JAX array."""

_BLOCK = 16
"""Infusions summed at a time: enough to be quick, few enough to need little memory."""


class Quantities(NamedTuple):
    """What a record's dose is in numbers, each `[record, subject]`: all that one may differentiate by.

    time [h]; given: the amount after bioavailability; length [h], 0 for a bolus; interval [h]; lag [h]; constant: the
    rate of an infusion without end [amount/h], which gives nothing after its record.
    """

    time: Float[Array, "record subject"]
    given: Float[Array, "record subject"]
    length: Float[Array, "record subject"]
    interval: Float[Array, "record subject"]
    lag: Float[Array, "record subject"]
    constant: Float[Array, "record subject"]


class Course(NamedTuple):
    """Segments of a batch. Segment s of subject b starts at `start[s, b]` [h] and lasts `duration[s, b]` [h].

    At its start the states are forgotten where `clears`, then `jump[s, state, b]` is added; while it lasts, state
    `infused[i]` receives `rate[s, i, b]` [amount/h]. rank: its place among what happens at the same time. records:
    one more than the last record that has acted by then, 0 before any has.
    """

    start: Float[Array, "segment subject"]
    duration: Float[Array, "segment subject"]
    clears: Bool[Array, "segment subject"]
    jump: Float[Array, "segment state subject"]
    rate: Float[Array, "segment infused subject"]
    rank: Int[Array, "segment subject"]
    records: Int[Array, "segment subject"]


class _Arriving(NamedTuple):
    enters: Float[Array, "dose subject"]
    stops: Float[Array, "dose subject"]
    rank: Int[Array, "dose subject"]
    at_once: Float[Array, "dose subject"]
    speed: Float[Array, "dose subject"]


def course(
    plan: Schedule,
    quantities: Quantities,
    states: int,
    infused: tuple[int, ...],
    entered: tuple[int, ...],
    added: Float[Array, "act state subject"] | None = None,
    xp: Any = np,
) -> Course:
    """Sort what happens between the first and the last record of each subject into segments.

    A dose arrives at its time + repeat x interval + lag. One with a length runs at a constant rate, given / length;
    one too short for the clock to see is given at once. What a reset or SS 1 cancels does not arrive, and stops. At
    equal times come first delayed and additional doses, then the records in their order; at one record first it
    clears, then what it has `added` is (zero if none are given), then its own dose enters. infused, entered: states
    that any infusion, and that anything at all, may enter. NaN from the first record on where a time or length is.
    """
    time = quantities.time
    records, subjects = time.shape
    begin, end = time[:1], time[-1:]
    acts = plan.acts
    boluses = _arriving(plan.boluses, quantities, xp)
    infusions = _arriving(plan.infusions, quantities, xp)
    both = ((plan.boluses, boluses), (plan.infusions, infusions))
    moments = (begin, _rows(acts.record, xp)(time), boluses.enters, infusions.enters, infusions.stops)
    ranks = (xp.full_like(acts.record, -2, shape=begin.shape), acts.record, boluses.rank, infusions.rank)
    present = (xp.ones_like(begin, dtype=bool), acts.present, plan.boluses.present, plan.infusions.present)
    at, rank = xp.concatenate(moments), xp.concatenate((*ranks, xp.full_like(infusions.rank, -1)))
    counts = xp.concatenate((*present, plan.infusions.present)) & (at <= end)
    at, rank = xp.where(counts, at, end), xp.where(counts, rank, records)

    order = xp.lexsort((rank, at), axis=0)
    in_order = _rows(order, xp)
    start, counted = in_order(at), in_order(counts)

    def spread(parts: tuple[Array | None, ...], like: Array) -> Array:
        """Rows for all moments in order; a part left out is zero."""
        shapes = [moment.shape[0] for moment in moments]
        rows = [
            xp.zeros_like(like, shape=(count, *like.shape[1:])) if part is None else part
            for part, count in zip(parts, shapes, strict=True)
        ]
        whole = in_order(xp.concatenate(rows))
        return xp.where(counted, whole, xp.zeros_like(whole[:1]))

    # Where in that order each infusion begins and ends; times alone would not tell two of the same moment apart.
    place = xp.argsort(order, axis=0)
    last = place.shape[0] - infusions.stops.shape[0]
    begins, ends = place[last - infusions.enters.shape[0] : last], place[last:]

    clears = acts.clears & acts.present
    passed = xp.where(acts.present, xp.diff(acts.record, axis=0, prepend=-1), 0)
    when = time + quantities.lag + quantities.length + quantities.interval
    # What comes at no time would be sorted behind the last record.
    lost = xp.where(xp.isnan(when).any(axis=0, keepdims=True), xp.nan, 0.0)
    jump = [xp.zeros_like(start)] * states
    for i in entered:
        once = (xp.where(doses.into == i, arriving.at_once, 0.0) for doses, arriving in both)
        jump[i] = spread((lost, None if added is None else added[:, i], *once, None), begin)
    return Course(
        start=start,
        duration=xp.diff(xp.concatenate([start, end]), axis=0),
        clears=spread((None, clears, None, None, None), clears),
        jump=xp.stack(jump, axis=1) if jump else xp.zeros((len(start), 0, subjects)),
        rate=_rates(plan.infusions.into, infusions.speed, begins, ends, start, infused, xp),
        rank=in_order(rank),
        records=xp.cumsum(spread((None, passed, None, None, None), acts.record), axis=0),
    )


def locate(
    line: Course,
    time: Float[Array, "row subject"],
    rank: Int[Array, "row subject"],
    xp: Any = np,
) -> tuple[Int[Array, "row subject"], Float[Array, "row subject"]]:
    """The segment of each row, and the time since its start [h].

    A row sees what is ordered before it: earlier moments, and at its own time those of at most its `rank` (that of a
    record is its number; -3 sees nothing of its own time).
    """
    start, line_rank = line.start[None], line.rank[None]
    seen = (start < time[:, None]) | ((start == time[:, None]) & (line_rank <= rank[:, None]))
    segment = xp.maximum(xp.sum(seen, axis=1) - 1, 0)
    since = time - xp.take_along_axis(line.start, segment, axis=0)
    return segment, xp.where(since < 0, 0.0, since)  # not `maximum`: at 0 the derivative is that of a time since


def _rows(place: Array, xp: Any) -> Callable[[Array], Array]:
    """Of a field `[row, subject]` the rows in these places, which may differ between subjects."""
    if xp is not np:
        return lambda field: xp.take_along_axis(field, place, axis=0)
    subjects = place.shape[1]
    flat = place * subjects + np.arange(subjects)  # once for all fields, which are looked up twice as fast
    return lambda field: np.ravel(field).take(flat)


def _arriving(doses: Arrivals, q: Quantities, xp: Any) -> _Arriving:
    of_record = _rows(doses.record, xp)
    at, lag, length, interval, given = (of_record(field) for field in (q.time, q.lag, q.length, q.interval, q.given))
    arrival = at + doses.repeat.astype(float) * interval + lag
    stop = arrival + length
    cancelled = _rows(doses.ends_at, xp)(xp.concatenate([q.time, xp.full_like(q.time[:1], xp.inf)]))
    past = doses.repeat < 0
    enters = xp.where(past, at, arrival)
    comes = doses.present & (arrival <= cancelled)  # at its very time, it is there before it is forgotten
    runs = comes & (stop > enters)
    # As the clock rounds it, so that rate x length is the whole dose; an endless past is no sum of such lengths.
    clock = stop - arrival
    seconds = xp.where(past, length, clock)
    speed = xp.where(runs & (seconds > 0), given / xp.where(seconds > 0, seconds, 1.0), 0.0)
    # The oldest dose that is kept of an endless past must be over: were it not, an older one might still run.
    oldest = past & xp.concatenate([past[:1], doses.record[1:] != doses.record[:-1]])
    speed = xp.where(oldest & runs, xp.nan, speed)
    return _Arriving(
        enters=enters,
        stops=xp.where(runs, xp.minimum(stop, cancelled), enters),
        rank=xp.where(past | ((doses.repeat == 0) & (lag == 0)), doses.record, -1),
        at_once=xp.where(comes & ~runs & ~past, given, 0.0),
        speed=speed,
    )


def _rates(
    into: Array, speed: Array, begins: Array, ends: Array, start: Array, infused: tuple[int, ...], xp: Any
) -> Array:
    """The rate is summed anew for each segment: adding at the start of an infusion and subtracting at its stop would
    leave the rounding of their sums running for ever."""
    found = [xp.zeros_like(start) for _ in infused]
    number = xp.arange(start.shape[0])[None, :, None]
    for first in range(0, into.shape[0], _BLOCK):
        rows = slice(first, first + _BLOCK)
        on = (number >= begins[rows, None]) & (number < ends[rows, None])
        given = xp.where(on, speed[rows, None], 0.0)
        for i, state in enumerate(infused):
            found[i] = found[i] + xp.sum(xp.where(into[rows, None] == state, given, 0.0), axis=0)
    return xp.stack(found, axis=1) if found else xp.zeros((start.shape[0], 0, start.shape[1]))
