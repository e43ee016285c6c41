"""Which column is which, and cells as numbers or labels; all that is wrong with either is collected."""

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from pkpd.dataset.declaration import STANDARD, Declaration
from pkpd.dataset.findings import Breach, shortened
from pkpd.dataset.sheet import Sheet

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"\d+", re.ASCII)
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?", re.ASCII)
LARGEST_NUMBER = 1e100
# Above this a double no longer tells neighbouring whole numbers apart.
LARGEST_EXACT = 2.0**53
CLOCK = re.compile(r"\d{1,4}[-/.:]\d{1,2}([-/.: T].*)?", re.ASCII)


@dataclass(frozen=True)
class Layout:
    """Where things stand: `places` of standard columns and of covariates by their names, and what
    nobody declared."""

    places: dict[str, int]
    covariates: dict[str, int]
    unused: tuple[str, ...]


@dataclass(frozen=True)
class Numbers:
    """A column as numbers, NaN where there is none; `bad` marks cells that are neither a finite number
    nor missing."""

    values: np.ndarray
    bad: np.ndarray

    @property
    def missing(self) -> np.ndarray:
        return np.isnan(self.values) & ~self.bad


@dataclass(frozen=True)
class Labels:
    """A column as labels: row i has `names[codes[i]]`, names in order of appearance, or none where the
    code is -1."""

    codes: np.ndarray
    names: tuple[str, ...]

    def __getitem__(self, row: int) -> str:
        """The label of a row as a message may show it."""
        code = self.codes[row]
        return shortened(self.names[code]) if code >= 0 else "?"


def layout(sheet: Sheet, declaration: Declaration) -> tuple[Layout, list[Breach]]:
    """Find the standard columns and the covariates, whatever the case of their names."""
    breaches = _ill_named(sheet)
    places: dict[str, int] = {}
    for name in STANDARD:
        wanted = declaration.columns.get(name, name)
        place = place_of(sheet, wanted)
        if place is not None:
            places[name] = place
        elif name in declaration.columns or name in _needed(declaration):
            breaches.append(_absent(sheet, wanted, name))
    if declaration.date is not None:
        place = place_of(sheet, declaration.date)
        if place is None:
            breaches.append(_absent(sheet, declaration.date, "dates"))
            # Clock times without their dates are no times.
            places.pop("TIME", None)
        else:
            places["DATE"] = place
    covariates = {}
    for covariate in declaration.covariates:
        wanted = declaration.columns.get(covariate.name, covariate.name)
        place = place_of(sheet, wanted)
        if place is None:
            breaches.append(_absent(sheet, wanted, f"covariate {covariate.name}"))
        else:
            covariates[covariate.name] = place
    used = {*places.values(), *covariates.values()}
    unused = tuple(name for place, name in enumerate(sheet.names) if place not in used)
    if unused:
        breaches.append(
            Breach(
                "I-UNUSED",
                f"columns nobody declared are not used: {', '.join(map(shortened, unused))}",
                "",
                "declare them (covariates) if they matter",
            )
        )
    return Layout(places, covariates, unused), breaches


def place_of(sheet: Sheet, name: str) -> int | None:
    """Where the column `name` stands, upper and lower case being the same."""
    lower = name.lower()
    return next((place for place, known in enumerate(sheet.names) if known.lower() == lower), None)


def numbers(sheet: Sheet, place: int) -> Numbers:
    """The column at `place` as numbers no larger than any conversion of units can bear."""
    column = sheet.cells[place]
    if pd.api.types.is_bool_dtype(column.dtype):
        column = column.astype(object)
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        bad = np.abs(values) > LARGEST_NUMBER
        return Numbers(np.where(bad, np.nan, values) if bad.any() else values, bad)
    codes, uniques = pd.factorize(column, use_na_sentinel=True)
    known = np.array([_number(str(text)) for text in uniques] + [np.nan])
    values = known[codes]
    return Numbers(values, np.isnan(values) & (codes >= 0))


def labels(sheet: Sheet, place: int) -> Labels:
    """The column at `place` as labels; whole numbers lose their decimal point, so that 2.0 is 2.

    A column of numbers that are not all whole is taken as written, so that 1.10 and 1.1 stay two labels.
    """
    column = sheet.cells[place]
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        codes, uniques = pd.factorize(values, use_na_sentinel=True)
        if (uniques == np.floor(uniques)).all() and (np.abs(uniques) < LARGEST_EXACT).all():
            return Labels(codes, tuple(map(str, uniques.astype(np.int64).tolist())))
        present = ~np.isnan(values)
        column = pd.Series([sheet.text(row, place) if there else None for row, there in enumerate(present)])
    codes, uniques = pd.factorize(column, use_na_sentinel=True)
    # Two ways of writing may be one label; blanks are none, nor is what a failed computation left behind.
    plain = [_whole(str(text).strip()) for text in uniques]
    merged, names = pd.factorize(
        np.array([None if text.lower() in ("", "nan") else text for text in plain], dtype=object),
        use_na_sentinel=True,
    )
    return Labels(np.append(merged, -1)[codes], tuple(names))


def wrong_cells(sheet: Sheet, place: int, bad: np.ndarray, ids: Labels, name: str, missing: bool) -> list[Breach]:
    """The cells of a column that hold no finite number, and, where `missing` says so, those that hold
    nothing."""
    if not bad.any():
        return []
    rows = np.flatnonzero(bad)
    texts = [shortened(sheet.text(int(row), place)) for row in rows]
    fixes = ["write a number" if missing else "write a number, or '.' for no value"]
    if any(DECIMAL_COMMA.fullmatch(text) for text in texts):
        fixes.append("decimals have a point: `pkpd data check FILE --fix OUT` mends them")
    if name == "TIME" and any(CLOCK.fullmatch(text) for text in texts):
        fixes.append("clock times and dates are read on request (date_format, date)")
    if name == "DV":
        fixes.append("a value below the limit of quantification is CENS 1 with the limit as DV")
    return [
        Breach(
            "E-VALUE",
            f"cells of {name} that are not a finite number" + (" or are empty" if missing else ""),
            f"{name} is a finite number, at most {LARGEST_NUMBER:g} in size,"
            + (" in every row" if missing else " or missing"),
            "; ".join(fixes),
            column=name,
            rows=sheet.lines[rows],
            ids=[ids[int(row)] for row in rows],
            values=texts,
        )
    ]


@lru_cache(maxsize=4096)
def _number(text: str) -> float:
    """The finite number in `text`, else NaN: no inf, nan, hexadecimal or underscore, which float()
    would take."""
    plain = text.strip()
    value = float(plain) if NUMBER.fullmatch(plain) else np.nan
    return value if abs(value) <= LARGEST_NUMBER else np.nan


def _whole(text: str) -> str:
    """2.0 and 02 as 2, so that a label is the same in however many digits and whatever its neighbours are."""
    value = _number(text)
    return str(int(value)) if value == np.floor(value) and abs(value) < LARGEST_EXACT else text


def _needed(declaration: Declaration) -> tuple[str, ...]:
    return ("ID", "TIME", "DV") if declaration.purpose == "fit" else ("ID", "TIME")


def _ill_named(sheet: Sheet) -> list[Breach]:
    lower = [name.lower() for name in sheet.names]
    twice = sorted({shortened(name) for name in sheet.names if name and lower.count(name.lower()) > 1})
    breaches = []
    if twice:
        breaches.append(
            Breach(
                "E-COLUMN",
                f"column names that occur twice: {', '.join(twice)}",
                "every column has a name of its own, upper and lower case being the same",
                "rename or remove one of them",
            )
        )
    if "" in lower:
        breaches.append(
            Breach(
                "E-COLUMN",
                "a column with values has no name",
                "every column has a name",
                "name it in the header",
            )
        )
    if sheet.names and all(NUMBER.fullmatch(name) for name in sheet.names):
        breaches.append(
            Breach(
                "E-COLUMN",
                "the first row holds numbers, not names",
                "the first row that is not a comment names the columns",
                "add a row such as ID,TIME,AMT,DV, or remove the '#' before it",
            )
        )
    return breaches


def _absent(sheet: Sheet, wanted: str, role: str) -> Breach:
    near = difflib.get_close_matches(wanted.lower(), [name.lower() for name in sheet.names], n=1, cutoff=0.6)
    hint = f" (did you mean '{next(name for name in sheet.names if name.lower() == near[0])}'?)" if near else ""
    found = ", ".join(shortened(name) or "(no name)" for name in sheet.names[:40])
    standard = role if role in STANDARD else wanted
    return Breach(
        "E-COLUMN",
        f"there is no column {wanted}{hint}; found are {found}",
        f"a column for {role} is needed",
        f'name it {wanted}, or say which column it is: columns = {{ {standard} = ".." }}',
        column=wanted,
    )
