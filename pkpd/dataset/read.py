"""From a file to a checked `Dataset`: read, infer, check every rule, convert units; nothing is guessed
in silence."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from pkpd.dataset.columns import WHOLE, Layout, layout
from pkpd.dataset.covariates import CovariateColumn, read_covariates
from pkpd.dataset.dataset import Dataset, Endpoint, measured, ranged
from pkpd.dataset.declaration import Covariate, Declaration, Output, declared, read_sidecar
from pkpd.dataset.dose_rules import DOSES
from pkpd.dataset.draft import Draft, drafted
from pkpd.dataset.findings import Breach, DataError, Findings, shortened
from pkpd.dataset.ignore import matching
from pkpd.dataset.limits import with_limits, with_scores
from pkpd.dataset.measure import Measure, measures
from pkpd.dataset.observation_rules import OBSERVATIONS
from pkpd.dataset.outputs import with_outputs
from pkpd.dataset.rules import EVENTS, ORDER, goes_back
from pkpd.dataset.sheet import Sheet, sheet_of_frame
from pkpd.dataset.text import UnreadableError, read_text
from pkpd.errors import InputError
from pkpd.units import SpecificActivity

RULES = ORDER + EVENTS + DOSES + OBSERVATIONS

# IDs that are numbers no matter how they are written back; none with more digits than 64 bits hold.
WHOLE_NUMBERS = re.compile(r"(0|[1-9]\d{0,16})( (0|[1-9]\d{0,16}))*+", re.ASCII)


@dataclass(frozen=True)
class Check:
    """The outcome of checking a table: all findings, and the dataset if no finding is an error."""

    source: str
    findings: Findings
    declaration: Declaration
    dataset: Dataset | None


def read_dataset(
    source: str | Path | pd.DataFrame,
    *,
    outputs: Mapping[str, int | str | Mapping[str, object] | Output] | Sequence[str | Output] | str | None = None,
    units: Mapping[str, str] | None = None,
    covariates: Mapping[str, str | Mapping[str, object] | Covariate] | Sequence[str | Covariate] | str | None = None,
    strata: Sequence[str] | str | None = None,
    columns: Mapping[str, str] | None = None,
    compartments: Sequence[str] | None = None,
    into: Mapping[str, str] | None = None,
    specific_activity: SpecificActivity | Mapping[str, object] | str | None = None,
    ignore: Sequence[str] | str | None = None,
    missing: Sequence[str] | None = None,
    date: str | None = None,
    date_format: str | None = None,
    purpose: Literal["fit", "simulate"] | None = None,
    allow_unsorted: bool | None = None,
) -> Dataset:
    """Read a NONMEM-style table (CSV, Parquet, or a DataFrame), check it, and convert its units.

    Everything said here may also stand in a TOML file of the same name beside the table (`trial.toml`
    for `trial.csv`); what the call says counts. See `Declaration` for the meaning of each argument and
    `docs/data.md` for examples.

    >>> read_dataset("trial.csv", outputs={"il2": 1, "treg": 2},
    ...              units={"TIME": "d", "AMT": "MIU", "il2": "pg/mL"}, covariates=["WT"])  # doctest: +SKIP

    Raises `DataError`, an `InputError` whose `findings` hold every mistake in the table, if there is any; and
    `InputError` where the declaration itself cannot be understood.
    """
    said = {name: value for name, value in locals().items() if name != "source" and value is not None}
    return read_dataset_as(source, said)


def read_dataset_as(source: str | Path | pd.DataFrame, said: Mapping[str, object]) -> Dataset:
    """The same with the arguments in a mapping, as the command line and a description hold them."""
    check = check_dataset(source, said)
    if check.dataset is None:
        raise DataError(check.source, check.findings)
    return check.dataset


def check_dataset(source: str | Path | pd.DataFrame, said: Mapping[str, object] | None = None) -> Check:
    """Check a table and say all that is found; `said` has the arguments of `read_dataset` as keys."""
    full, beside = described(source, said or {})
    declaration = declared(full)
    name = "table" if isinstance(source, pd.DataFrame) else Path(source).name or str(source)
    try:
        sheet = sheet_of(source, declaration)
    except UnreadableError as problem:
        return Check(name, Findings((*beside, problem.breach)), declaration, None)
    sheet, blank = without_blank_columns(sheet)
    sheet, dropped = _without_ignored(sheet, declaration)
    found = Findings((*beside, *blank, *dropped)) + sheet.findings
    dataset, findings = _checked(sheet, declaration)
    found = found + findings
    if dataset is None or found.of("error").breaches:
        return Check(name, found, declaration, None)
    digest = None if isinstance(source, pd.DataFrame) else hashlib.sha256(Path(source).read_bytes()).hexdigest()
    return Check(name, found, declaration, replace(dataset, findings=found, sha256=digest))


def described(source: str | Path | pd.DataFrame, said: Mapping[str, object]) -> tuple[dict[str, object], list[Breach]]:
    """What is said in the call, over what the TOML file beside the table says."""
    if isinstance(source, pd.DataFrame) or Path(source).is_dir():
        return dict(said), []
    sidecar = Path(source).with_suffix(".toml")
    if not sidecar.is_file():
        return dict(said), []
    beside = read_sidecar(sidecar)
    both = sorted(set(beside) & set(said))
    over = f"; the call counts for {', '.join(both)}" if both else ""
    return {**beside, **said}, [Breach("I-SIDECAR", f"described by {sidecar.name}{over}")]


def sheet_of(source: str | Path | pd.DataFrame, declaration: Declaration) -> Sheet:
    if isinstance(source, pd.DataFrame):
        return sheet_of_frame(source, "table", declaration.missing)
    path = Path(source)
    if path.suffix.lower() in (".parquet", ".pq"):
        return sheet_of_frame(_parquet(path), path.name, declaration.missing)
    return read_text(path, declaration.marks, declaration.missing)


def _parquet(path: Path) -> pd.DataFrame:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise InputError("reading Parquet needs the package pyarrow; install it, or save the table as CSV") from error
    try:
        # Opened here, so that a path is one file and never a folder or an address, and its absence has a reason.
        with path.open("rb") as stream:
            # What pandas notes in the file for itself is not needed, and a damaged note is no reason to fail.
            return parquet.read_table(stream).to_pandas(ignore_metadata=True)
    except (OSError, ValueError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or "it is not a Parquet file, or a damaged one"
        fix = "give the path of a table you may read, saved as CSV or Parquet"
        raise UnreadableError(Breach("E-FILE", f"cannot read '{path}': {reason}", "", fix)) from error


def without_blank_columns(sheet: Sheet) -> tuple[Sheet, list[Breach]]:
    """Spreadsheets leave columns with neither a name nor a value."""
    blank = [
        place for place, name in enumerate(sheet.names) if not name and bool(sheet.cells.iloc[:, place].isna().all())
    ]
    if not blank:
        return sheet, []
    return sheet.without(blank), [Breach("I-BLANK", f"{len(blank)} columns without name and values are passed over")]


def _without_ignored(sheet: Sheet, declaration: Declaration) -> tuple[Sheet, list[Breach]]:
    """The rows that no condition of `ignore` leaves out, nor a mark in a first column called C."""
    conditions = list(declaration.conditions)
    if sheet.names and sheet.names[0].upper() == "C" and "C" not in declaration.columns.values():
        conditions.append("C == C")
    told = []
    for condition in conditions:
        out = matching(sheet, condition, dict(declaration.columns))
        if out.any() or condition in declaration.conditions:
            told.append(Breach("I-IGNORE", f"{out.sum()} rows with {condition} are left out"))
        sheet = sheet.take(np.flatnonzero(~out))
    return sheet, told


def _checked(sheet: Sheet, declaration: Declaration) -> tuple[Dataset | None, Findings]:
    where, found = layout(sheet, declaration)
    if not len(sheet):
        found.append(Breach("E-EMPTY", "there are no rows below the column names", "a table has rows", ""))
        return None, Findings() + Findings(tuple(found))
    draft, told = _sorted_draft(sheet, where, declaration)
    found += told
    draft, told = with_outputs(draft, declaration.outputs, where.places.get("DVID"))
    found += told
    draft, told = with_limits(draft)
    found += told
    covariates, told = read_covariates(draft, where, declaration.covariates)
    found += told
    scored, told = with_scores(draft)
    found += told
    for rule in RULES:
        if rule.purpose in (None, declaration.purpose):
            found += rule.check(scored)
    # Where rows could not be read, what seems to be missing may be in them.
    whole = "E-ROW" not in sheet.findings.codes and not scored.unreadable.any()
    if whole and declaration.purpose == "fit" and "DV" in where.places and not scored.scored.any():
        found.append(
            Breach(
                "E-EMPTY",
                "no observation is left to fit",
                "fitting needs rows with EVID 0, MDV 0 and a DV",
                'say purpose = "simulate" if the table only asks for predictions',
            )
        )
    found += _names_taken_twice(draft, covariates)
    by_name, told = measures(declaration, draft.outputs, tuple(column.covariate for column in covariates))
    findings = Findings() + Findings((*found, *told))
    if findings.of("error").breaches:
        return None, findings
    return _dataset(scored, covariates, by_name, where), findings


def _names_taken_twice(draft: Draft, covariates: list[CovariateColumn]) -> list[Breach]:
    """An endpoint is known by its name alone, and so are TIME, AMT and the covariates."""
    taken = {"time", "amt", *(column.covariate.name.lower() for column in covariates)}
    twice = [output.name for output in draft.outputs if output.name.lower() in taken]
    if not twice:
        return []
    return [
        Breach(
            "E-DVID",
            f"endpoints with the name of a column or covariate: {', '.join(map(shortened, twice))}",
            "an endpoint, TIME, AMT and a covariate have different names",
            "give it another name (outputs)",
        )
    ]


def _sorted_draft(sheet: Sheet, where: Layout, declaration: Declaration) -> tuple[Draft, list[Breach]]:
    """The draft, its rows gathered by subject and sorted by time if that was asked for."""
    draft, found = drafted(sheet, where, declaration)
    if not declaration.allow_unsorted or (goes_back(draft) & np.isin(draft.evid, (3, 4))).any():
        return draft, found
    order = np.lexsort((draft.time, draft.subject))
    moved = int((order != np.arange(len(order))).sum())
    if not moved:
        return draft, found
    draft, found = drafted(sheet.take(order), where, declaration)
    told = Breach("I-SORTED", f"{moved} rows were moved: gathered by ID and sorted by TIME, equal times as they stood")
    return draft, [*found, told]


def _dataset(draft: Draft, covariates: list[CovariateColumn], by_name: dict[str, Measure], where: Layout) -> Dataset:
    numbers = tuple(_number(output, index) for index, output in enumerate(draft.outputs, start=1))
    taken = numbers if len(set(numbers)) == len(numbers) else tuple(range(1, len(numbers) + 1))
    endpoints = tuple(
        Endpoint(output.name, number, by_name[output.name].into, output.scale)
        for output, number in zip(draft.outputs, taken, strict=True)
    )
    whole = {name: getattr(draft, name).astype(np.int64) for name in ("evid", "cmt", "addl", "ss", "mdv", "cens")}
    held = {
        "row": draft.sheet.lines.astype(np.int64),
        "id": _identities(draft),
        "time": draft.time,
        "evid": whole["evid"],
        "amt": draft.amt,
        "cmt": whole["cmt"],
        "rate": draft.rate,
        "dur": np.nan_to_num(draft.dur),
        "addl": whole["addl"],
        "ii": draft.ii,
        "ss": whole["ss"],
        "endpoint": pd.Categorical.from_codes(
            np.where(draft.observation, draft.endpoint, -1), categories=[one.name for one in endpoints]
        ),
        "dv": np.where(draft.observation, draft.dv, np.nan),
        "mdv": whole["mdv"],
        "cens": whole["cens"],
        "limit": draft.limit,
        "lloq": draft.lloq,
        "occ": np.nan_to_num(draft.occ).astype(np.int64),
        **{column.covariate.name: column.values for column in covariates},
    }
    table = pd.DataFrame(held)
    for name, measure in by_name.items():
        if measure.unit != measure.into:
            table = measured(table, name, measure)
    return Dataset(
        table=table,
        endpoints=endpoints,
        covariates=tuple(ranged(column.covariate, by_name[column.covariate.name]) for column in covariates),
        units={name: measure.into for name, measure in by_name.items() if measure.into is not None},
        compartments=draft.compartments,
        unused=where.unused,
        missing={column.covariate.name: column.missing for column in covariates},
        source=draft.sheet.source,
        specific_activity=by_name["AMT"].activity,
    )


def _number(output: Output, index: int) -> int:
    value = str(output.value)
    return int(value) if WHOLE.fullmatch(value) else index


def _identities(draft: Draft) -> np.ndarray:
    """IDs as whole numbers where all of them are, else as text."""
    names = draft.ids.names
    # One match over all of them: there may be as many subjects as rows.
    if WHOLE_NUMBERS.fullmatch(" ".join(names)):
        return np.array(list(map(int, names)))[draft.subject]
    return np.array(names, dtype=object)[draft.subject]
