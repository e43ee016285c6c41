"""Records of a batch of subjects: the rows of a NONMEM-style table, as arrays, checked.

What each record means is written in docs/semantics.md. Padding is a record with EVID 2 at the time of the last one.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from pkpd.errors import InputError

OBSERVATION, DOSE, OTHER, RESET, RESET_AND_DOSE = range(5)

MODELLED_RATE, MODELLED_DURATION = -1.0, -2.0
"""RATE codes: the rate, or the duration, is a parameter of the model."""

MOST_DOSES = 100_000
"""Doses one subject's records may stand for, ADDL written out."""

_LEAST_AMOUNT = 1e-200
"""A positive amount below this is a slip; results from it would leave the range of numbers."""

_SHOWN = 10
"""Violations listed in one error."""

_Wrong = Bool[np.ndarray, "record subject"]


class Records(NamedTuple):
    """Rows of all subjects, each field `[record, subject]`.

    time [h], ascending for each subject; evid 0 to 4; cmt: index of the state a dose enters, from 0; amt, before
    bioavailability; rate [amount/h], 0 for none, -1 and -2 as in NONMEM; dur [h], 0 for none; addl, ii [h] and ss
    (0, 1, 2). Arrays are NumPy's, or JAX's inside a compiled function. `check` raises `InputError` that lists what
    has no meaning.
    """

    time: Float[Any, "record subject"]
    evid: Int[Any, "record subject"]
    cmt: Int[Any, "record subject"]
    amt: Float[Any, "record subject"]
    rate: Float[Any, "record subject"]
    dur: Float[Any, "record subject"]
    addl: Int[Any, "record subject"]
    ii: Float[Any, "record subject"]
    ss: Int[Any, "record subject"]

    @property
    def is_dose(self) -> Bool[Any, "record subject"]:
        return (self.evid == DOSE) | (self.evid == RESET_AND_DOSE)

    @property
    def is_reset(self) -> Bool[Any, "record subject"]:
        return (self.evid == RESET) | (self.evid == RESET_AND_DOSE)

    @property
    def is_endless(self) -> Bool[Any, "record subject"]:
        """AMT 0 at a rate with SS: an infusion from for ever, which ends at its record."""
        at_rate = (self.rate > 0) | (self.rate == MODELLED_RATE)
        return self.is_dose & (self.ss > 0) & (self.amt == 0) & at_rate

    def check(self, states: tuple[str, ...]) -> None:
        """Raise `InputError` naming record, subject, value, rule and fix of everything that has no meaning."""
        shape = self.time.shape
        for name in self._fields:
            found = getattr(self, name).shape
            if found != shape or len(shape) != 2 or 0 in shape:
                raise InputError(f"records: {name} has shape {found}, time {shape}; each needs [record, subject]")
        found = []
        for wrong, name, rule in self._rules(len(states)):
            for record, subject in zip(*np.nonzero(wrong), strict=True):
                found.append(
                    f"subject {subject}, record {record}: {name} is {getattr(self, name)[record, subject]:g}; {rule}"
                )
        if found:
            more = f"\n.. and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            raise InputError("\n".join(found[:_SHOWN]) + more)

    def _rules(self, states: int) -> Iterator[tuple[_Wrong, str, str]]:
        dose, endless = self.is_dose, self.is_endless
        for name in ("time", "amt", "rate", "dur", "ii"):
            yield ~np.isfinite(getattr(self, name)), name, "it must be a finite number"
        yield np.diff(self.time, axis=0, prepend=self.time[:1]) < 0, "time", "times of a subject must not go back"
        yield ~np.isin(self.evid, range(5)), "evid", "it must be 0, 1, 2, 3 or 4"
        yield dose & ((self.cmt < 0) | (self.cmt >= states)), "cmt", f"it must be 0 to {states - 1}, a state's index"
        for name in ("amt", "dur", "ii", "addl"):
            yield getattr(self, name) < 0, name, "it must not be negative"
        yield (
            (self.amt > 0) & (self.amt < _LEAST_AMOUNT),
            "amt",
            f"positive amounts below {_LEAST_AMOUNT:g} are refused",
        )
        yield (self.rate < 0) & ~np.isin(self.rate, (-1, -2)), "rate", "it must be 0 or more, or -1 or -2"
        yield ~np.isin(self.ss, range(3)), "ss", "it must be 0, 1 or 2"
        yield dose & (self.rate != 0) & (self.dur > 0), "dur", "RATE and DUR cannot both be given"
        yield dose & (self.amt == 0) & ((self.rate > 0) | (self.dur > 0)) & ~endless, "amt", "an infusion needs an AMT"
        yield dose & (self.addl > 0) & (self.ii <= 0), "ii", "ADDL needs an II"
        yield dose & (self.ss > 0) & (self.ii <= 0) & ~endless, "ii", "SS needs an II"
        yield endless & ((self.ii > 0) | (self.addl > 0)), "ii", "an endless infusion has no II and no ADDL"
        yield ~dose & (self.amt > 0), "amt", "only EVID 1 and 4 give a dose"
        yield ~dose & (self.ss > 0), "ss", "only EVID 1 and 4 may be at steady state"
        count = np.cumsum(np.where(dose, 1.0 + np.maximum(self.addl, 0), 0.0), axis=0)
        first = dose & (count > MOST_DOSES) & (count - 1.0 - self.addl <= MOST_DOSES)
        yield first, "addl", f"one subject may have {MOST_DOSES} doses in all, additional ones counted"
