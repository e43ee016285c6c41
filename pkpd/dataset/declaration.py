"""What the user says about a table: outputs, units, covariates, columns; in a call or in a TOML file
beside it."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pkpd.errors import InputError
from pkpd.units import SpecificActivity, specific_activity

STANDARD = (
    *("ID", "TIME", "DV", "AMT", "EVID", "MDV", "CMT", "DVID", "RATE", "DUR"),
    *("ADDL", "II", "SS", "CENS", "LIMIT", "LLOQ", "OCC"),
)
OWN_NAMES = frozenset(name.lower() for name in STANDARD) | {"row", "endpoint", "date"}

# Nothing said may be passed over: a word that is not known is an error.
KNOWN_WORDS_ONLY = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Output:
    """An endpoint of the table: the observations whose DVID (or CMT) is `value`.

    `column`: DVID or CMT; None: DVID where the table has that column, else CMT. `value` None: the name
    itself, or every observation where the table has only one kind. `lloq`: the limit of quantification
    in the unit of the file, where no LLOQ column gives it. `scale`: "log" says that the error model
    takes logarithms, so that a DV of zero or less is an error.
    """

    __pydantic_config__ = KNOWN_WORDS_ONLY

    name: str
    value: int | str | None = None
    column: Literal["DVID", "CMT"] | None = None
    lloq: float | None = None
    scale: Literal["linear", "log"] = "linear"


@dataclass(frozen=True)
class Covariate:
    """A covariate or stratum, and the rule by which it is carried between records.

    `kind` None: continuous where every cell is a number, else categorical. `constant`: one value a
    subject. `carry`: between two records hold the values of the later ("nocb", NONMEM's rule) or of the
    earlier ("locf"). `low`, `high`: the stated range, in the unit of the file. `labels`: what the codes
    of a categorical one stand for.
    """

    __pydantic_config__ = KNOWN_WORDS_ONLY

    name: str
    kind: Literal["continuous", "categorical"] | None = None
    role: Literal["covariate", "stratum"] = "covariate"
    constant: bool = False
    carry: Literal["nocb", "locf"] = "nocb"
    low: float | None = None
    high: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Declaration:
    """Everything said about a table.

    `units`: TIME, AMT, DV (every endpoint), an endpoint or a covariate -> unit in the file. `into`: the
    same names -> unit wanted. `columns`: standard name -> name in the file. `compartments`: names of
    the compartments 1, 2, ... `ignore`: marks of one letter (NONMEM's IGNORE) or conditions such as
    "EVID == 0 and DV == 0". `missing`: the cells that stand for no value. `date`: column of dates,
    beside clock times in TIME; `date_format` as in strptime. `specific_activity`: of the IL-2 product,
    None for aldesleukin's; in TOML its name or its fields.
    """

    __pydantic_config__ = KNOWN_WORDS_ONLY

    outputs: tuple[Output, ...] = ()
    covariates: tuple[Covariate, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    into: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    compartments: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ("#",)
    missing: tuple[str, ...] = ("", ".", "NA")
    date: str | None = None
    date_format: str | None = None
    purpose: Literal["fit", "simulate"] = "fit"
    allow_unsorted: bool = False
    specific_activity: SpecificActivity | None = None

    @property
    def has_moments(self) -> bool:
        """Whether TIME holds clock times or dates."""
        return self.date is not None or self.date_format is not None

    @property
    def marks(self) -> tuple[str, ...]:
        """What begins a row that is a remark; as in NONMEM, conditions alone leave "#" in force."""
        return tuple(mark for mark in self.ignore if len(mark) == 1) or ("#",)

    @property
    def conditions(self) -> tuple[str, ...]:
        return tuple(condition for condition in self.ignore if len(condition) > 1)


_UNDERSTOOD = TypeAdapter(Declaration)
"""Made once: that takes as long as a small table takes to read."""

SAYINGS = (*(one.name for one in fields(Declaration)), "strata")


def declared(said: Mapping[str, object]) -> Declaration:
    """The declaration in `said`, whose keys are the fields of `Declaration` and `strata`, in their
    short forms.

    Short forms: `outputs` as names, or name -> number or text in DVID or CMT; `covariates` and `strata`
    as names, or name -> kind; a single text for a list of one. Raises `InputError` for anything that is
    not understood.
    """
    full = dict(said)
    for key in full:
        if key not in SAYINGS:
            raise InputError(f"'{key}' says nothing about a table; known are {', '.join(SAYINGS)}")
    full["outputs"] = _spelled_out("outputs", full.get("outputs"), "value")
    strata = _spelled_out("strata", full.pop("strata", None), "kind")
    for one in strata:
        if isinstance(one, dict):
            one.update({"role": "stratum", "kind": "categorical", "constant": True, **one})
    full["covariates"] = [*_spelled_out("covariates", full.get("covariates"), "kind"), *strata]
    for key in ("columns", "units", "into"):
        if isinstance(names := full.get(key), Mapping):
            upper = {name.lower(): name for name in STANDARD}
            full[key] = {upper.get(str(name).lower(), name): value for name, value in names.items()}
    for key in ("compartments", "ignore", "missing"):
        if isinstance(one := full.get(key), str):
            full[key] = [one]
    if isinstance(product := full.get("specific_activity"), str):
        full["specific_activity"] = specific_activity(product)
    try:
        declaration = _UNDERSTOOD.validate_python(full)
    except ValidationError as error:
        raise InputError(f"not understood: {'; '.join(_said(problem) for problem in error.errors())}") from error
    _sensible(declaration)
    return declaration


def read_sidecar(path: Path) -> dict[str, object]:
    """What the TOML file `path` says about the table beside it; keys as in `declared`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows begins files with a mark
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read the description '{path}': {error}") from error


def _spelled_out(key: str, said: object, main: str) -> list[object]:
    """Names, or a table of names with their `main` field or all their fields, as a list of tables."""
    if said is None:
        return []
    if isinstance(said, str):
        said = [said]
    if isinstance(said, Mapping):
        return [_named(str(name), value, main) for name, value in said.items()]
    if not isinstance(said, Sequence):
        raise InputError(f"{key} is {said!r}; give names, or a table of names")
    return [_named(one) for one in said]


def _named(name: object, value: object = None, main: str = "") -> object:
    if not isinstance(name, str):
        return name
    if value is None:
        return {"name": name}
    if isinstance(value, Mapping):
        return {"name": name, **value}
    return {"name": name, main: value} if isinstance(value, str | int) else value


def _said(problem: Mapping[str, object]) -> str:
    """One problem that pydantic found: where, and what is expected there."""
    where = problem["loc"]
    path = ".".join(str(part) for part in where) if isinstance(where, tuple) else str(where)
    return f"{path}: {problem['msg']}"


def _sensible(declaration: Declaration) -> None:
    for kind, names in (
        ("output", [one.name for one in declaration.outputs]),
        ("covariate", [one.name for one in declaration.covariates]),
    ):
        lower = [name.lower() for name in names]
        for name in names:
            if lower.count(name.lower()) > 1:
                raise InputError(f"{kind} '{name}' is declared twice")
    for one in declaration.covariates:
        if one.name.lower() in OWN_NAMES:
            raise InputError(f"'{one.name}' is a standard column and cannot be a covariate; rename the column")
    known = {*STANDARD, *(one.name for one in declaration.covariates)}
    if strange := sorted(set(declaration.columns) - known):
        raise InputError(f"columns names {', '.join(strange)}, neither a standard column nor a declared covariate")
