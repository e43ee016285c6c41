"""Which doses the records of a batch stand for, which records act, and what each of these may cancel.

All of this follows from EVID, ADDL and SS; none of it from amounts or times, so it is worked out once, in whole
numbers, while times, lags and amounts remain quantities one may differentiate by.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from pkpd.events.records import Records


class Arrivals(NamedTuple):
    """Doses written out, each field `[dose, subject]`.

    record: the record it comes from. repeat: 0 for the record's own dose, 1, 2 .. for additional ones, -1, -2 .. for
    those of an endless past that still run when the record comes. into: index of its state. present: whether this
    subject has it. ends_at: the record that cancels it, the number of records if none does.
    """

    record: Int[Any, "dose subject"]
    repeat: Int[Any, "dose subject"]
    into: Int[Any, "dose subject"]
    present: Bool[Any, "dose subject"]
    ends_at: Int[Any, "dose subject"]


class Acts(NamedTuple):
    """Records that do something at their own time, each field `[act, subject]`.

    record; present; clears: whether what was there before is forgotten (a reset, or SS 1); steady: whether a steady
    state is reached; resets: whether states return to their initial values.
    """

    record: Int[Any, "act subject"]
    present: Bool[Any, "act subject"]
    clears: Bool[Any, "act subject"]
    steady: Bool[Any, "act subject"]
    resets: Bool[Any, "act subject"]


class Schedule(NamedTuple):
    """Boluses and infusions apart, because only infusions stop; and the records that act."""

    boluses: Arrivals
    infusions: Arrivals
    acts: Acts


def schedule(
    records: Records,
    length: Float[np.ndarray, "record subject"],
    lag: Float[np.ndarray, "record subject"],
    boundaries: Bool[np.ndarray, "record subject"] | bool = False,
) -> Schedule:
    """Write out the doses of checked `records`.

    length [h]: how long each dose runs, 0 for a bolus; lag [h]. The two decide only how many doses of an endless past
    are kept in mind, one more than run; a later change that asks for more is reported by `course`. boundaries: the
    records at which parameters change.
    """
    counts = np.where(records.is_dose & ~records.is_endless, 1 + records.addl, 0)
    clears = records.is_reset | (records.ss == 1)
    ends_at = _next(clears)
    runs = length > 0
    interval = np.where(records.ii > 0, records.ii, 1.0)
    past = np.where(runs & (records.ss > 0) & ~records.is_endless, 1 + np.floor((length + lag) / interval), 0)
    acting = records.is_reset | (records.ss > 0) | boundaries
    act = _columns(acting.astype(int), records)
    record = act[0]
    at = (record, np.arange(record.shape[1])[None, :])
    return Schedule(
        boluses=_arrivals(np.where(runs, 0, counts), records, ends_at),
        infusions=_arrivals(np.where(runs, counts, 0), records, ends_at, past.astype(int)),
        acts=Acts(record, act[2], clears[at], (records.ss > 0)[at], records.is_reset[at]),
    )


def since_doses(
    plan: Schedule, records: Records, read: Int[np.ndarray, "row subject"]
) -> Float[np.ndarray, "moment subject"]:
    """How long after each dose before it each record `read` is [h], ascending, infinite where there is none: lags and
    durations with which a dose arrives, or an infusion ends, just at it. Those within a millionth are one."""
    found = []
    for doses in (plan.boluses, plan.infusions):
        time, ii = (np.take_along_axis(field, doses.record, axis=0) for field in (records.time, records.ii))
        at = np.where(doses.present, time + doses.repeat * ii, np.inf)
        away = np.take_along_axis(records.time, read, axis=0)[:, None] - at[None]
        found.append(np.where(away > 0, away, np.inf).reshape(-1, read.shape[1]))
    every = np.sort(np.concatenate(found), axis=0)
    same = every[1:] < every[:-1] * (1.0 + 1e-6)
    every[1:][same] = np.inf
    every = np.sort(every, axis=0)
    return every[: max(1, int(np.isfinite(every).sum(axis=0).max()))]


def _next(flag: Bool[np.ndarray, "record subject"]) -> Int[np.ndarray, "record subject"]:
    """The first later record with the flag, the number of records if there is none."""
    count = len(flag)
    own = np.where(flag, np.arange(count)[:, None], count)
    following = np.minimum.accumulate(own[::-1], axis=0)[::-1]
    return np.concatenate([following[1:], np.full_like(own[:1], count)])


def _columns(counts: Int[np.ndarray, "record subject"], records: Records) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Record r of a subject repeated `counts[r]` times: (record, which repeat, present), each `[row, subject]`."""
    subjects = counts.shape[1]
    flat = counts.T.ravel()
    record = np.repeat(np.tile(np.arange(len(counts)), subjects), flat)
    subject = np.repeat(np.repeat(np.arange(subjects), len(counts)), flat)
    repeat = np.arange(len(record)) - np.repeat(np.cumsum(flat) - flat, flat)
    total = counts.sum(axis=0)
    row = np.arange(len(record)) - np.repeat(np.cumsum(total) - total, total)
    shape = (int(total.max(initial=0)), subjects)
    found = []
    for values, empty in ((record, 0), (repeat, 0), (np.ones(len(record), dtype=bool), False)):
        column = np.full(shape, empty)
        column[row, subject] = values
        found.append(column)
    return found[0], found[1], found[2]


def _arrivals(
    counts: Int[np.ndarray, "record subject"],
    records: Records,
    ends_at: Int[np.ndarray, "record subject"],
    past: Int[np.ndarray, "record subject"] | None = None,
) -> Arrivals:
    before = np.zeros_like(counts) if past is None else past
    record, number, present = _columns(counts + before, records)
    at = (record, np.arange(record.shape[1])[None, :])
    return Arrivals(record, number - before[at], records.cmt[at], present, ends_at[at])
