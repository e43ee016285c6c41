"""A phase of a regimen: one dose given in one way, again and again, on one schedule."""

from dataclasses import dataclass

from pkpd.regimens.dose import Administration
from pkpd.regimens.schedule import Schedule


@dataclass(frozen=True)
class Phase:
    """`administration` says what is given and how, `schedule` when."""

    administration: Administration
    schedule: Schedule
