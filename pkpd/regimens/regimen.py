"""A regimen: what is given, when, to whom, and how well the literature says so."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING

from pkpd.errors import InputError
from pkpd.regimens.dose import Administration, Dose, PlannedDose
from pkpd.regimens.phase import Phase
from pkpd.regimens.schedule import DAY, Placement, on_blocks, placements
from pkpd.regimens.sentence import amount_and_unit, dose_words, sentence
from pkpd.units import SpecificActivity

if TYPE_CHECKING:
    import pandas as pd

EVIDENCE = ("verified", "secondary", "derived", "memory", "unknown")
STATUSES = ("own text", "own file", *EVIDENCE)
"""How well a regimen is known, the best first; a user's own needs no evidence."""


@dataclass(frozen=True)
class Regimen:
    """What is given, when, to whom.

    `phases`: none for placebo, None if the schedule is not known. Both statuses are of `STATUSES`.
    `unmodelled`: why the interleukin-2 models of the package cannot simulate it; empty if they can.
    """

    name: str
    phases: tuple[Phase, ...] | None
    title: str = ""
    population: str = ""
    agent: str = "aldesleukin"
    source: str = ""
    schedule_status: str = "own text"
    dose_status: str = "own text"
    note: str = ""
    unmodelled: str = ""

    @property
    def status(self) -> str:
        """The weaker of the statuses of schedule and dose."""
        return max(self.schedule_status, self.dose_status, key=STATUSES.index)

    @property
    def obstacle(self) -> str:
        """Why this regimen cannot be simulated; empty if it can."""
        if self.unmodelled:
            return self.unmodelled
        if self.phases is None:
            return "neither its dose nor its schedule is known"
        if any(phase.administration.dose is None for phase in self.phases):
            return "its dose is not known"
        return ""

    def comparable(self) -> None:
        """Raise `InputError` with the reason if this regimen cannot be simulated."""
        if self.obstacle:
            raise InputError(
                f"regimen '{self.name}' is listed but cannot be simulated: {self.obstacle}; "
                'give a regimen of your own instead, such as "1 MIU sc qod x 12 wk"'
            )

    def doses(self, specific_activity: SpecificActivity | None = None) -> tuple[PlannedDose, ...]:
        """The doses in the order of time; those in ug become IU by the `specific_activity` (aldesleukin's).

        Raises `InputError` if the regimen cannot be simulated.
        """
        self.comparable()
        return tuple(
            PlannedDose(
                time=float(time),
                amount=float(dose.activity(specific_activity)),
                basis=dose.basis,
                route=given.route,
                duration=float(given.duration),
            )
            for given, time in self._given()
            if (dose := given.dose)  # known, or it would not be comparable
        )

    def on_blocks(self) -> tuple[tuple[float, float], ...]:
        """The stretches of dosing, (start, end) in h: parted by pauses only; none for placebo."""
        return tuple((float(start), float(end)) for start, end in self._blocks)

    @property
    def treatment_end(self) -> float:
        """When treatment ends [h], the last pause included; 0 for placebo."""
        return float(self._placed[-1][1].end) if self._placed else 0.0

    @property
    def injections(self) -> int:
        """How many doses are given."""
        return sum(len(placed.times) for _, placed in self._placed)

    @property
    def total_dose(self) -> str:
        """All doses added up, such as "21 MIU in 21 injections"."""
        return self.dose_before(inf)

    def dose_before(self, end: float) -> str:
        """The doses before `end` [h] added up; if there are more, how many were planned is said."""
        if not self.phases:
            return "not known" if self.phases is None else "no interleukin-2"
        totals: dict[tuple[str, str], Dose] = {}
        known, given = True, 0
        for phase, placed in self._placed:
            times = sum(time < end for time in placed.times)
            given += times
            dose = phase.administration.dose
            if dose is None:
                known = False
                continue
            kind = (dose.unit, dose.basis)
            before = totals[kind].amount if kind in totals else Fraction(0)
            totals[kind] = replace(dose, amount=before + dose.amount * times)
        words = " + ".join(dose_words(total) for total in totals.values()) if known else dose_words(None)
        noun = "injection" if all(phase.administration.route == "sc" for phase in self.phases) else "dose"
        cut = "" if given == self.injections else f" ({self.injections} planned)"
        return f"{words} in {given} {noun}{'' if given == 1 else 's'}{cut}"

    def sentence(self) -> str:
        """The regimen as one canonical sentence of the regimen language."""
        return sentence(self.phases)

    def dose_table(self) -> "pd.DataFrame":
        """One row a dose: number, block, day, time_h, amount and unit as prescribed, route, infusion_min.

        An amount that is not known is NaN.
        """
        import pandas as pd

        starts = [start for start, _ in self._blocks]
        rows = []
        for number, (given, time) in enumerate(self._given(), start=1):
            amount, unit = amount_and_unit(given.dose) if given.dose else (float("nan"), "")
            block = bisect_right(starts, time)
            infusion = 60.0 * float(given.duration)
            rows.append((number, block, float(time / DAY), float(time), float(amount), unit, given.route, infusion))
        columns = ["number", "block", "day", "time_h", "amount", "unit", "route", "infusion_min"]
        return pd.DataFrame(rows, columns=columns)

    def _given(self) -> Iterator[tuple[Administration, Fraction]]:
        for phase, placed in self._placed:
            for time in placed.times:
                yield phase.administration, time

    @cached_property
    def _placed(self) -> tuple[tuple[Phase, Placement], ...]:
        phases = self.phases or ()
        return tuple(zip(phases, placements(phase.schedule for phase in phases), strict=True))

    @cached_property
    def _blocks(self) -> tuple[tuple[Fraction, Fraction], ...]:
        return on_blocks(placed for _, placed in self._placed)
