"""Numbers from the literature, each with its unit, source, status and grade; nothing numeric hides in code."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pkpd.errors import InputError
from pkpd.storage import shipped

Status = Literal["verified", "secondary", "derived", "memory", "unknown"]
_STATUSES = ("verified", "secondary", "derived", "memory", "unknown")
_WEAK_STATUSES = ("memory", "unknown")
_WEAK_GRADES = ("C", "D")


@dataclass(frozen=True)
class Allometry:
    """Value for a subject of weight w [kg]: typical (w / reference_weight)^exponent."""

    exponent: float
    reference_weight: float
    status: Status
    grade: str
    source: str


@dataclass(frozen=True)
class Prior:
    """A parameter's typical value, how subjects differ (`bsv_cv`), and how well it is known (`uncertainty_cv`).

    status: of the typical value. grade: A reported in humans, B derived from human or anchored animal numbers,
    C weakly supported, D placeholder; a slash joins the grades of its parts.
    """

    symbol: str
    typical: float
    unit: str
    bsv_cv: float | None
    uncertainty_cv: float
    status: Status
    grade: str
    source: str
    range: tuple[float, float] | None = None
    allometry: Allometry | None = None


@dataclass(frozen=True)
class Covariate:
    """How a covariate is distributed: normal between bounds, or a share when there is no spread."""

    name: str
    meaning: str
    unit: str
    mean: float
    sd: float | None
    lower: float | None
    upper: float | None
    status: Status
    source: str


def is_assumption(status: str, grade: str = "") -> bool:
    """Whether a number must be shown as an assumption: from memory, unknown, or graded C or D in any part."""
    return status in _WEAK_STATUSES or any(part in _WEAK_GRADES for part in grade.split("/"))


def joined(names: Iterable[str]) -> dict[str, Prior]:
    """The priors of several files, by symbol; as `Model.literature` names them."""
    return {symbol: prior for name in names for symbol, prior in priors(name).items()}


def priors(name: str) -> dict[str, Prior]:
    """The priors of the literature file `name`, by symbol. Raises `InputError` on a field that is not known."""
    content = _read(name)
    found = {}
    for symbol, fields in content["parameter"].items():
        known = {
            "typical",
            "unit",
            "range",
            "bsv_cv",
            "uncertainty_cv",
            "status",
            "grade",
            "source",
            "allometry",
        }
        _check(name, symbol, fields, known, optional={"range", "bsv_cv", "allometry"})
        allometry = fields.get("allometry")
        if allometry is not None:
            _check(name, f"{symbol}.allometry", allometry, set(Allometry.__dataclass_fields__))
        found[symbol] = Prior(
            symbol=symbol,
            typical=fields["typical"],
            unit=fields["unit"],
            bsv_cv=fields.get("bsv_cv"),
            uncertainty_cv=fields["uncertainty_cv"],
            status=fields["status"],
            grade=fields["grade"],
            source=fields["source"],
            range=tuple(fields["range"]) if "range" in fields else None,
            allometry=Allometry(**allometry) if allometry is not None else None,
        )
    return found


def covariates(name: str) -> dict[str, Covariate]:
    """The covariate distributions of the literature file `name`. Raises `InputError` on an unknown field."""
    found = {}
    for covariate, fields in _read(name)["covariate"].items():
        known = set(Covariate.__dataclass_fields__) - {"name"}
        _check(name, covariate, fields, known, optional={"sd", "lower", "upper"})
        rest = {key: fields.get(key) for key in ("sd", "lower", "upper")}
        found[covariate] = Covariate(name=covariate, **(fields | rest))
    return found


def title(name: str) -> str:
    """What the literature file `name` is about."""
    return _read(name)["title"]


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(shipped(f"literature/{name}.toml").read_text(encoding="utf-8"))


def _check(
    name: str,
    entry: str,
    fields: dict[str, Any],
    known: set[str],
    optional: frozenset[str] | set[str] = frozenset(),
) -> None:
    unknown = sorted(set(fields) - known)
    missing = sorted(known - set(fields) - optional)
    if unknown or missing:
        raise InputError(
            f"literature file '{name}', entry '{entry}': unknown fields {unknown}, missing fields {missing}; "
            f"an entry has {', '.join(sorted(known))}"
        )
    if fields["status"] not in _STATUSES:
        raise InputError(
            f"literature file '{name}', entry '{entry}': status '{fields['status']}' is none of {', '.join(_STATUSES)}"
        )
