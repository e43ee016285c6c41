"""Units of interleukin-2, time and body size: converted once, where numbers enter or leave.

IU, mass and moles of interleukin-2 are one quantity, tied together by the specific activity of a product:

    1 mg = (international_units / milligrams) IU,    1 mol = molecular_weight g

With aldesleukin's, 18 MIU = 1.1 mg and 15 300 g/mol: 1 MIU = 61.1 ug and 1 IU/mL = 61.1 pg/mL = 3.99 pM.
"""

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from pkpd.errors import InputError
from pkpd.storage import shipped

if TYPE_CHECKING:
    import numpy as np
    import pint

    Value = TypeVar("Value", float, np.ndarray)
else:
    Value = TypeVar("Value")

# Body weight is not a mass of interleukin-2, and body surface no square of a length: IU/kg must not turn into
# a bare number, nor kg into IU.
_UNITS = {
    "IU": "[interleukin_2]",
    "kIU": "1e3 IU",
    "MIU": "1e6 IU",
    "g": "1e3 mg",
    "ug": "1e-3 mg",
    "ng": "1e-6 mg",
    "pg": "1e-9 mg",
    "umol": "1e-6 mol",
    "nmol": "1e-9 mol",
    "pmol": "1e-12 mol",
    "L": "[volume]",
    "dL": "1e-1 L",
    "mL": "1e-3 L",
    "uL": "1e-6 L",
    "uM": "1e-6 mol/L",
    "nM": "1e-9 mol/L",
    "pM": "1e-12 mol/L",
    "h": "[time]",
    "min": "h/60",
    "s": "h/3600",
    "d": "24 h",
    "wk": "168 h",
    "kg": "[body_weight]",
    "m2": "[body_surface]",
    "cm": "[height]",
    "m": "100 cm",
}
_KNOWN = (*_UNITS, "mg", "mol")
_FORM = re.compile(r"(?:1|[A-Za-z]\w*)(?:\s*[*/ ]\s*[A-Za-z]\w*)*", re.ASCII)
_ALIKE = str.maketrans({"µ": "u", "μ": "u", "²": "2", "·": "*"})


@dataclass(frozen=True)
class SpecificActivity:
    """Activity of a product: `international_units` [IU] in `milligrams` [mg] of `molecular_weight` [g/mol].

    Raises `InputError` for a number that is not positive.
    """

    name: str
    international_units: float
    milligrams: float
    molecular_weight: float
    status: str = "unknown"
    source: str = ""

    def __post_init__(self) -> None:
        for symbol in ("international_units", "milligrams", "molecular_weight"):
            value = getattr(self, symbol)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"specific activity '{self.name}': {symbol} is {value}; give a number greater than 0")

    @property
    def iu_per_mg(self) -> float:
        """Specific activity [IU/mg]."""
        return self.international_units / self.milligrams


def specific_activity(name: str = "aldesleukin") -> SpecificActivity:
    """The specific activity called `name` in the shipped constants; raises `InputError` if there is none."""
    known = _specific_activities()
    if name not in known:
        raise InputError(f"no specific activity is called '{name}'; known: {', '.join(known)}")
    return known[name]


def factor(from_unit: str, to_unit: str, specific_activity: SpecificActivity | None = None) -> Fraction:
    """The exact number of `to_unit` in one `from_unit`.

    Units are products and quotients such as "MIU", "IU/m2", "pg/mL", "IU*h/mL", "L/h/kg". Without a
    `specific_activity`, aldesleukin's is used.

    Raises `InputError` for an unknown unit, and for two that measure different things.
    """
    registry = _registry(specific_activity or _specific_activities()["aldesleukin"])
    one, wanted = (registry.Quantity(Fraction(1), _checked(unit)) for unit in (from_unit, to_unit))
    if one.dimensionality != wanted.dimensionality:
        given, asked = _kind(one.dimensionality), _kind(wanted.dimensionality)
        raise InputError(
            f"'{from_unit}' cannot be converted to '{to_unit}': {given} is not {asked}; give a unit of {asked}"
        )
    return Fraction(one.to(wanted.units).magnitude)


def convert(value: Value, from_unit: str, to_unit: str, specific_activity: SpecificActivity | None = None) -> Value:
    """`value` (a number or an array) in `from_unit`, put in `to_unit`; see `factor` for units and errors.

    >>> round(convert(1.0, "IU/mL", "pM"), 2)
    3.99
    """
    times = factor(from_unit, to_unit, specific_activity)
    # 15 min are exactly 0.25 h when divided by 60, not when multiplied by the nearest number to 1/60.
    return value * float(times) if times >= 1 else value / float(1 / times)


def by_molar_mass(from_unit: str, to_unit: str) -> bool:
    """Whether moles become mass, or mass moles: what IU measure is interleukin-2, what these measure may be any drug.

    Raises `InputError` as `factor` does.
    """
    heavier = replace(specific_activity(), molecular_weight=2.0 * specific_activity().molecular_weight)
    of_any_drug = "IU" not in from_unit + to_unit
    return of_any_drug and factor(from_unit, to_unit) != factor(from_unit, to_unit, heavier)


def to_iu(value: Value, unit: str, specific_activity: SpecificActivity | None = None) -> Value:
    """An amount of interleukin-2 (IU, mass or moles) in IU; see `factor` for units and errors.

    >>> to_iu(1.1, "mg")
    18000000.0
    """
    return convert(value, unit, "IU", specific_activity)


@cache
def _specific_activities() -> dict[str, SpecificActivity]:
    content = tomllib.loads(shipped("literature/constants.toml").read_text(encoding="utf-8"))
    return {name: SpecificActivity(name, **fields) for name, fields in content["specific_activity"].items()}


@lru_cache(maxsize=16)
def _registry(activity: SpecificActivity) -> "pint.UnitRegistry":
    """A registry of nothing but the units above, in exact arithmetic, for one specific activity."""
    import pint

    # pint documents both arguments, its annotations know neither.
    registry = pint.UnitRegistry(filename=None, non_int_type=Fraction)  # pyright: ignore[reportArgumentType]
    registry.define(f"mg = {float(activity.international_units)!r} / {float(activity.milligrams)!r} * IU")
    registry.define(f"mol = 1e3 * {float(activity.molecular_weight)!r} * mg")
    for name, meaning in _UNITS.items():
        registry.define(f"{name} = {meaning}")
    return registry


def _checked(unit: str) -> str:
    """The unit as pint reads it, after making sure that it is made of known names and nothing else."""
    plain = unit.strip().translate(_ALIKE)
    if not _FORM.fullmatch(plain):
        raise InputError(f"'{unit}' is no unit; write names joined by * or /, such as IU/mL")
    for name in re.findall(r"[A-Za-z]\w*", plain):
        if name not in _KNOWN:
            raise InputError(
                f"unknown unit '{name}' in '{unit}'; known: {', '.join(_KNOWN)} (upper and lower case differ)"
            )
    return re.sub(r"\s*([*/ ])\s*", r"\1", plain).replace(" ", "*")


def _kind(dimensionality: Mapping[str, Any]) -> str:
    """What a unit measures in words: "interleukin-2 / volume"."""
    above, below = [], []
    for name, exponent in dimensionality.items():
        word = name.strip("[]").replace("interleukin_2", "interleukin-2").replace("_", " ")
        power = "" if abs(exponent) == 1 else f"^{abs(exponent)}"
        (above if exponent > 0 else below).append(word + power)
    return " / ".join([" x ".join(above) or "1", *below]) if above or below else "a bare number"
