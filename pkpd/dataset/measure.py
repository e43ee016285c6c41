"""Units at the boundary: what a column holds, what the records shall hold, and the step between."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pkpd.dataset.declaration import Covariate, Declaration, Output
from pkpd.dataset.findings import Breach
from pkpd.errors import InputError
from pkpd.units import SpecificActivity, by_molar_mass, convert, factor

TIME_UNIT = "h"
ACTIVITY = re.compile(r"\s*[kM]?IU\s*(?P<per>/\s*[mdu]?L)?\s*")
# Longer words for units of time, as people write them in a table's description.
TIME_WORDS = {
    **dict.fromkeys(("hour", "hours", "hr", "hrs"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("week", "weeks"), "wk"),
    **dict.fromkeys(("minute", "minutes"), "min"),
}


@dataclass(frozen=True)
class Measure:
    """A quantity given in `unit` and wanted in `into`; both None where nothing was said."""

    unit: str | None
    into: str | None
    activity: SpecificActivity | None = None

    def __call__(self, values: np.ndarray) -> np.ndarray:
        if self.unit is None or self.into is None or self.unit == self.into:
            return values
        return convert(values, self.unit, self.into, self.activity)

    @property
    def breach(self) -> str | None:
        """Why `unit` cannot become `into`, or None."""
        if self.unit is None or self.into is None or self.unit == self.into:
            return None
        try:
            factor(self.unit, self.into, self.activity)
            unknown = self.activity is None and by_molar_mass(self.unit, self.into)
        except InputError as error:
            return str(error)
        if unknown:
            return (
                f"'{self.unit}' becomes '{self.into}' by the molar mass of the drug, which is not given; convert the "
                "column, or, if it is of interleukin-2, say so: specific_activity = 'aldesleukin'"
            )
        return None


def measures(
    declaration: Declaration, outputs: tuple[Output, ...], covariates: tuple[Covariate, ...]
) -> tuple[dict[str, Measure], list[Breach]]:
    """The measure of TIME, AMT, each output and each covariate.

    Hours are always the unit of time; what is given in (k, M)IU is held in IU or IU/mL; all else stays
    as it is, unless `into` says otherwise.
    """
    units, into = dict(declaration.units), dict(declaration.into)
    breaches = []
    if "TIME" in units:
        units["TIME"] = TIME_WORDS.get(units["TIME"].strip().lower(), units["TIME"])
    clocked = declaration.date is not None or declaration.date_format is not None
    if clocked:
        units.setdefault("TIME", TIME_UNIT)
    names = [
        "TIME",
        "AMT",
        *(output.name for output in outputs),
        *(covariate.name for covariate in covariates),
    ]
    breaches += _unknown_names([*units, *into], names)
    found: dict[str, Measure] = {}
    for name in names:
        is_output = any(output.name == name for output in outputs)
        unit = units.get(name, units.get("DV") if is_output else None)
        wanted = into.get(name, into.get("DV") if is_output else None)
        measure = Measure(unit, wanted or _usual(name, unit, is_output), declaration.specific_activity)
        problem = (
            "clock times are read in hours" if name == "TIME" and clocked and unit != TIME_UNIT else measure.breach
        )
        if wanted and unit is None:
            problem = f"it is wanted in {wanted} but its unit is not given"
        if name == "AMT" and unit is not None and problem is None:
            problem = Measure(unit, "IU").breach
        if problem is not None:
            breaches.append(_wrong(name, problem))
            measure = Measure(None, None)
        found[name] = measure
    return found, breaches + _told(found, outputs)


def _usual(name: str, unit: str | None, is_output: bool) -> str | None:
    if name == "TIME":
        return TIME_UNIT if unit is not None else None
    if unit is not None and (name == "AMT" or is_output) and (active := ACTIVITY.fullmatch(unit)):
        return "IU/mL" if active["per"] else "IU"
    return unit


def _unknown_names(given: list[str], names: list[str]) -> list[Breach]:
    strange = sorted(set(given) - set(names) - {"DV"})
    if not strange:
        return []
    return [
        Breach(
            "E-UNIT",
            f"a unit is given for {', '.join(strange)}, which is nothing in this table that has one",
            "TIME, AMT, DV, outputs and covariates have units; RATE, II and DUR follow from AMT and TIME",
            f"here these are {', '.join(names)}",
        )
    ]


def _wrong(name: str, problem: str) -> Breach:
    fix = "correct the unit"
    if name == "AMT" and "body" in problem:
        fix = "multiply AMT by the body size of the subject: AMT is an amount, not an amount per m2 or kg"
    return Breach("E-UNIT", f"unit of {name}: {problem}", "units measure what the column is", fix, column=name)


def _told(found: Mapping[str, Measure], outputs: tuple[Output, ...]) -> list[Breach]:
    absent = [name for name in ("TIME", "AMT", *(output.name for output in outputs)) if found[name].unit is None]
    changed = [
        f"{name} from {measure.unit} to {measure.into}"
        for name, measure in found.items()
        if measure.unit is not None and measure.unit != measure.into
    ]
    labels = [
        f"{name} ('{measure.unit}')"
        for name, measure in found.items()
        if measure.unit is not None and measure.unit == measure.into and _is_label(measure.unit)
    ]
    breaches = []
    if absent:
        breaches.append(
            Breach(
                "I-UNIT",
                f"no unit is given for {', '.join(absent)}" + (": TIME is taken as hours" if "TIME" in absent else ""),
                "fitting a model with units needs them",
                'say it: units = { TIME = "h", AMT = "MIU", DV = "IU/mL" }',
            )
        )
    if changed:
        breaches.append(Breach("I-UNIT", f"converted: {', '.join(changed)}"))
    if labels:
        breaches.append(Breach("I-UNIT", f"units that are kept as labels and never converted: {', '.join(labels)}"))
    return breaches


def _is_label(unit: str) -> bool:
    return Measure(unit, f"{unit} ").breach is not None
