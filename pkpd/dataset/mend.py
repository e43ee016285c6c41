"""A corrected copy of a table: only what has one meaning is changed, every change is listed, the file stays."""

import csv
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pkpd.dataset.columns import DECIMAL_COMMA, NUMBER, Layout, layout
from pkpd.dataset.declaration import Declaration, declared
from pkpd.dataset.draft import OLD_DOSE, Draft, drafted
from pkpd.dataset.findings import shortened
from pkpd.dataset.read import described, sheet_of, without_blank_columns
from pkpd.dataset.rules import goes_back
from pkpd.dataset.sheet import Sheet, sheet_of_frame
from pkpd.dataset.text import UnreadableError
from pkpd.errors import InputError
from pkpd.storage import write_atomically

# A cell that begins like this is a formula to a spreadsheet, and the list of changes is read in one.
FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True)
class Change:
    """One cell (or row, or column) of the copy that differs from the file; `row` is the line of the file."""

    row: int | None
    id: str
    column: str
    before: str
    after: str
    why: str

    def __str__(self) -> str:
        where = f"row {self.row}, ID {self.id}: " if self.row is not None else ""
        return f"{where}{self.column} '{self.before}' -> '{self.after}': {self.why}"


@dataclass
class Copy:
    """The cells of the copy while it is being mended, and the changes so far."""

    sheet: Sheet
    names: list[str]
    cells: list[list[str]]
    changes: list[Change]

    def change(self, draft: Draft, rows: np.ndarray, column: str, after: str | Callable[[str], str], why: str) -> None:
        """Put `after` (or what it makes of the cell) into `column` of the rows that are true in `rows`."""
        place = draft.places[column]
        for row in np.flatnonzero(rows):
            before = self.cells[row][place]
            put = after if isinstance(after, str) else after(before)
            if put != before:
                self.cells[row][place] = put
                line = int(self.sheet.lines[row])
                self.changes.append(Change(line, draft.ids[int(row)], column, shortened(before), put, why))


def mended(source: Path, target: Path, said: Mapping[str, object]) -> list[Change]:
    """Write a corrected copy of the table `source` to `target` as CSV, and the list of changes beside it.

    Mended are: decimal commas and Fortran's D exponents in numbers, EVID 101, a DV of 0 on a dose, MDV
    0 where there is no observation, a missing EVID column, and rows out of order (unless a reset goes
    back in time). What else is wrong stays, for it has more than one remedy. A TOML file beside
    `source` is copied too.

    Raises `InputError` where `target` exists, or where rows would be lost because they cannot be read.
    """
    beside = target.parent / f"{target.stem}.changes.csv"
    for path in (target, beside):
        if path.exists():
            raise InputError(f"'{path}' exists; a corrected copy is never written over a file; choose another name")
    if not target.parent.is_dir():
        raise InputError(f"there is no folder '{target.parent}' to write the corrected copy to; make it first")
    full, _ = described(source, said)
    declaration = declared(full)
    copy = _mended(source, declaration)
    write_atomically(target, lambda path: _write(path, copy.names, copy.cells))
    rows = [
        ["" if one.row is None else str(one.row), *map(_shown, (one.id, one.column, one.before, one.after, one.why))]
        for one in copy.changes
    ]
    write_atomically(beside, lambda path: _write(path, ["row", "id", "column", "before", "after", "why"], rows))
    description = source.with_suffix(".toml")
    if description.is_file() and not target.with_suffix(".toml").exists():
        shutil.copyfile(description, target.with_suffix(".toml"))
    return copy.changes


def _mended(source: Path, declaration: Declaration) -> Copy:
    try:
        sheet, _ = without_blank_columns(sheet_of(source, declaration))
    except UnreadableError as problem:
        raise InputError(f"{source.name} cannot be mended: {problem.breach.what}") from problem
    lost = [breach.what for breach in sheet.findings.breaches if breach.code == "E-ROW"]
    where, found = layout(sheet, declaration)
    lost += [breach.what for breach in found if breach.code == "E-COLUMN"]
    if lost:
        raise InputError(
            f"{source.name} cannot be mended: {'; '.join(lost)}; mend this by hand, for rows or columns would be lost"
        )
    cells = [[sheet.text(row, place).strip() for place in range(len(sheet.names))] for row in range(len(sheet))]
    copy = Copy(sheet, list(sheet.names), cells, [])
    for breach in sheet.findings.breaches:
        copy.changes.append(Change(None, "", "rows", breach.what, "left out", "the copy holds the table only"))
    _write_numbers_plainly(copy, drafted(sheet, where, declaration)[0], where, declaration)
    # Order and events are judged by the numbers that are meant, not by the cells that could not be read.
    readable = sheet_of_frame(pd.DataFrame(cells, columns=range(len(sheet.names))), source.name, declaration.missing)
    draft, _ = drafted(replace(readable, names=sheet.names, lines=sheet.lines), where, declaration)
    if "EVID" in draft.places:
        old = np.array([row[draft.places["EVID"]] == str(OLD_DOSE) for row in cells], dtype=bool) & (draft.cmt <= 1)
        if "CMT" in draft.places:
            copy.change(draft, old, "CMT", "1", "EVID 101 is a dose into compartment 1")
        copy.change(draft, old, "EVID", "1", "EVID 101 is a dose into compartment 1")
    else:
        copy.names.append("EVID")
        for row, evid in zip(cells, draft.evid, strict=True):
            row.append("." if np.isnan(evid) else f"{evid:g}")
        copy.changes.append(Change(None, "", "EVID", "no column", "added", "1 where there is an AMT, else 0"))
    if "DV" in draft.places:
        copy.change(draft, draft.dose & (draft.dv == 0), "DV", ".", "a dose has no DV")
    if "MDV" in draft.places:
        contrary = ~draft.observation & ~np.isnan(draft.evid) & (draft.mdv == 0)
        copy.change(draft, contrary, "MDV", "1", "only an observation can have MDV 0")
    _gather(copy, draft)
    return copy


def _write_numbers_plainly(copy: Copy, draft: Draft, where: Layout, declaration: Declaration) -> None:
    places = {name: place for name, place in draft.places.items() if name not in ("ID", "CMT", "DVID", "DATE")}
    for covariate in declaration.covariates:
        if covariate.kind != "categorical":
            places[covariate.name] = where.covariates[covariate.name]
    everywhere = np.ones(len(draft), dtype=bool)
    for name in places:
        written = "a number is written with a point and an E"
        copy.change(replace(draft, places=places), everywhere, name, _plain_number, written)


def _gather(copy: Copy, draft: Draft) -> None:
    """Sort the rows by subject and time, unless a reset goes back in time or a time cannot be read."""
    unsure = np.isnan(draft.time) | (draft.subject < 0) | (goes_back(draft) & np.isin(draft.evid, (3, 4)))
    order = np.lexsort((draft.time, draft.subject))
    if unsure.any() or (order == np.arange(len(order))).all():
        return
    copy.cells[:] = [copy.cells[row] for row in order]
    for after, row in enumerate(order):
        if after != row:
            line, identity = int(copy.sheet.lines[row]), draft.ids[int(row)]
            why = "rows are gathered by ID and sorted by TIME"
            copy.changes.append(Change(line, identity, "row", str(row + 1), str(after + 1), why))


def _plain_number(text: str) -> str:
    """A number with a decimal comma or a Fortran exponent as everybody reads it; anything else as it is."""
    if DECIMAL_COMMA.fullmatch(text):
        return text.replace(",", ".")
    fortran = text.replace("D", "E").replace("d", "e")
    return fortran if fortran != text and NUMBER.fullmatch(fortran) else text


def _shown(text: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text.startswith(FORMULA) and not NUMBER.fullmatch(text) else text


def _write(path: Path, names: list[str], rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
