"""A dose: as it is prescribed, and as it is due at a time of a regimen."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from pkpd.units import SpecificActivity, factor

Basis = Literal["flat", "m2", "kg"]
Route = Literal["sc", "iv"]


@dataclass(frozen=True)
class Dose:
    """An amount of interleukin-2 in IU or ug; flat, per m2 of body surface, or per kg of body weight."""

    amount: Fraction
    unit: Literal["IU", "ug"]
    basis: Basis = "flat"

    def activity(self, specific_activity: SpecificActivity | None = None) -> Fraction:
        """The amount in IU, IU/m2 or IU/kg; without a `specific_activity`, aldesleukin's is used for ug."""
        return self.amount if self.unit == "IU" else self.amount * factor("ug", "IU", specific_activity)


@dataclass(frozen=True)
class Administration:
    """A dose with its way into the body: `duration` [h] of an infusion, 0 for an injection.

    `dose` is None where the literature does not tell it.
    """

    dose: Dose | None
    route: Route
    duration: Fraction = Fraction(0)


@dataclass(frozen=True)
class PlannedDose:
    """A dose at `time` [h]: `amount` [IU, IU/m2, IU/kg, by `basis`] over `duration` [h] (0: at once)."""

    time: float
    amount: float
    basis: Basis
    route: Route
    duration: float
