"""The records as numbers, with what the table leaves out inferred; every inference is told."""

import re
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pkpd.dataset.clock import hours, wrong_moments
from pkpd.dataset.columns import NUMBER, Labels, Layout, Numbers, labels, numbers, wrong_cells
from pkpd.dataset.declaration import STANDARD, Declaration, Output
from pkpd.dataset.findings import Breach, shortened
from pkpd.dataset.sheet import Sheet

# How nlmixr's older tables write a dose into compartment 1.
OLD_DOSE = 101

NAME = re.compile(r"[^\W\d][\w .-]*")
MOST_COMPARTMENTS = 100_000

NUMERIC = tuple(name for name in STANDARD if name not in ("ID", "CMT", "DVID"))
NEVER_MISSING = ("TIME", "EVID", "OCC")
ZERO_WHEN_MISSING = ("RATE", "DUR", "ADDL", "II", "SS", "CENS")


@dataclass(frozen=True)
class Draft:
    """The records in file order, one array element a row; a cell that could not be read is NaN and
    breaks no rule.

    `ids` numbers the subjects in order of appearance. `endpoint` is an index into `outputs` (-1: none).
    Times and amounts are in the units of the file. `places`: where the file has the standard columns.
    `unreadable`: rows with a cell that could not be read.
    """

    sheet: Sheet
    places: dict[str, int]
    ids: Labels
    time: np.ndarray
    evid: np.ndarray
    amt: np.ndarray
    cmt: np.ndarray
    rate: np.ndarray
    dur: np.ndarray
    addl: np.ndarray
    ii: np.ndarray
    ss: np.ndarray
    dv: np.ndarray
    mdv: np.ndarray
    cens: np.ndarray
    limit: np.ndarray
    lloq: np.ndarray
    occ: np.ndarray
    endpoint: np.ndarray
    unreadable: np.ndarray
    outputs: tuple[Output, ...] = ()
    compartments: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.time)

    @property
    def subject(self) -> np.ndarray:
        return self.ids.codes

    @cached_property
    def dose(self) -> np.ndarray:
        return (self.evid == 1) | (self.evid == 4)

    @cached_property
    def observation(self) -> np.ndarray:
        return self.evid == 0

    @cached_property
    def scored(self) -> np.ndarray:
        return self.observation & (self.mdv == 0) & ~np.isnan(self.dv)

    @cached_property
    def follows(self) -> np.ndarray:
        """Rows whose predecessor in the file is of the same subject."""
        same = np.zeros(len(self), dtype=bool)
        same[1:] = (self.subject[1:] == self.subject[:-1]) & (self.subject[1:] >= 0)
        return same

    @cached_property
    def first(self) -> np.ndarray:
        """The first row of each subject in the file."""
        firsts = np.zeros(len(self), dtype=bool)
        starts = np.flatnonzero(~self.follows)
        firsts[starts[np.unique(self.subject[starts], return_index=True)[1]]] = True
        return firsts & (self.subject >= 0)

    def subject_has(self, rows: np.ndarray) -> np.ndarray:
        """For each row: whether `rows` is true for any row of its subject."""
        some = np.zeros(len(self.ids.names) + 1, dtype=bool)
        some[self.subject[rows]] = True
        return some[self.subject]

    def is_missing(self, column: str) -> np.ndarray:
        """Rows where the file has nothing in `column`, which is not the same as something unreadable."""
        if column not in self.places:
            return np.ones(len(self), dtype=bool)
        return numbers(self.sheet, self.places[column]).missing

    def value(self, row: int, column: str) -> str:
        """What the file says in a cell; where it has no such column, what was inferred."""
        if column in self.places:
            return self.sheet.text(row, self.places[column])
        held = getattr(self, column.lower(), None)
        return "" if held is None else f"{held[row]:g}"

    def breach(self, code: str, column: str, broken: np.ndarray, what: str, rule: str = "", fix: str = "") -> Breach:
        """A breach at the rows where `broken` is true, each with its ID and its cell of `column`."""
        rows = np.flatnonzero(broken)
        return Breach(
            code,
            what,
            rule,
            fix,
            column=column,
            rows=self.sheet.lines[rows],
            ids=[self.ids[int(row)] for row in rows],
            values=[shortened(self.value(int(row), column)) for row in rows],
        )

    def told(self, code: str, column: str, rows: np.ndarray, what: str, rule: str = "", fix: str = "") -> Breach:
        """The same, told once: the first row stands for all, which are counted."""
        first = np.zeros(len(self), dtype=bool)
        first[np.argmax(rows)] = True
        return replace(self.breach(code, column, first, what, rule, fix), count=int(rows.sum()))


def drafted(sheet: Sheet, layout: Layout, declaration: Declaration) -> tuple[Draft, list[Breach]]:
    """Read the standard columns; EVID and CMT are inferred where they are absent, the rest in `limits`
    and `outputs`."""
    ids = Labels(np.zeros(len(sheet), dtype=int), ("?",))
    breaches: list[Breach] = []
    if "ID" in layout.places:
        ids = labels(sheet, layout.places["ID"])
    unreadable = ids.codes < 0
    if unreadable.any():
        rule, fix = "every row has an ID: a number or a text", "write the ID, or leave the rows out with ignore"
        for breach in wrong_cells(sheet, layout.places["ID"], unreadable, ids, "ID", True):
            breaches.append(replace(breach, what="rows without an ID", rule=rule, fix=fix))
    read: dict[str, np.ndarray] = {}
    for name in NUMERIC:
        if name not in layout.places:
            read[name] = np.full(len(sheet), 0.0 if name in ZERO_WHEN_MISSING else np.nan)
            continue
        column = _read(sheet, layout, declaration, ids, name)
        never = name in NEVER_MISSING
        bad = column.bad | column.missing if never else column.bad
        if name == "TIME" and declaration.has_moments:
            breaches += wrong_moments(sheet, layout.places, declaration.date_format, ids, bad)
        else:
            breaches += wrong_cells(sheet, layout.places[name], bad, ids, name, never)
        unreadable = unreadable | bad
        read[name] = np.where(column.missing, 0.0, column.values) if name in ZERO_WHEN_MISSING else column.values
    draft = Draft(
        sheet=sheet,
        places=layout.places,
        ids=ids,
        cmt=np.zeros(len(sheet)),
        endpoint=np.full(len(sheet), -1),
        unreadable=unreadable,
        time=read["TIME"],
        evid=read["EVID"],
        amt=read["AMT"],
        rate=read["RATE"],
        dur=read["DUR"],
        addl=read["ADDL"],
        ii=read["II"],
        ss=read["SS"],
        dv=read["DV"],
        mdv=read["MDV"],
        cens=read["CENS"],
        limit=read["LIMIT"],
        lloq=read["LLOQ"],
        occ=read["OCC"],
    )
    draft, told = _with_compartments(draft, declaration)
    draft, inferred = _with_events(draft)
    # Only a dose must say its amount, unless it is an infusion without end.
    needless = np.isnan(draft.amt) & (~draft.dose | (draft.rate > 0) & (draft.ss > 0))
    return replace(draft, amt=np.where(needless, 0.0, draft.amt)), breaches + told + inferred


def _read(sheet: Sheet, layout: Layout, declaration: Declaration, ids: Labels, name: str) -> Numbers:
    """A standard column as numbers; TIME may hold clock times or dates, if the declaration says so."""
    place = layout.places[name]
    if name == "TIME" and declaration.has_moments:
        return hours(sheet, place, layout.places.get("DATE"), declaration.date_format, ids)
    return numbers(sheet, place)


def _with_compartments(draft: Draft, declaration: Declaration) -> tuple[Draft, list[Breach]]:
    """CMT as numbers from 1; names are numbered as declared, or in order of appearance; 0 is the
    model's default."""
    if "CMT" not in draft.places:
        told = Breach(
            "I-CMT",
            "there is no CMT: doses and observations go to the default compartments of the model",
            "a model with one dosing compartment needs no CMT",
        )
        return replace(draft, compartments=declaration.compartments), [told]
    column = labels(draft.sheet, draft.places["CMT"])
    names, breaches = declaration.compartments, []
    if not names and column.names and all(_is_name(name) for name in column.names):
        names = column.names
        breaches.append(
            Breach("I-CMT", f"compartments are numbered as they appear: {', '.join(names)}", "CMT may be a name")
        )
    lower = [name.lower() for name in names]
    numbered = [float(name) if NUMBER.fullmatch(name) else _rank(lower, name) for name in column.names]
    cmt = np.array([*numbered, 0.0])[column.codes]
    failed = (column.codes < 0) & ~draft.sheet.cells.iloc[:, draft.places["CMT"]].isna().to_numpy()
    cmt = np.where(failed, np.nan, cmt)
    bad = np.isnan(cmt) | (cmt < 0) | (cmt != np.floor(cmt)) | (cmt > (len(names) or MOST_COMPARTMENTS))
    draft = replace(draft, cmt=np.where(bad, np.nan, cmt), compartments=names, unreadable=draft.unreadable | bad)
    if bad.any():
        known = f"one of {', '.join(names)}, or a number up to {len(names)}" if names else "a whole number from 1"
        breaches.append(
            draft.breach(
                "E-CMT",
                "CMT",
                bad,
                "compartments that do not exist",
                f"CMT is {known}; 0 or a missing mark is the model's default",
                "correct the cell, or name the compartments (compartments)",
            )
        )
    elif (cmt == 0).any():
        breaches.append(draft.told("I-CMT", "CMT", cmt == 0, "no CMT, which means the model's default compartment"))
    return draft, breaches


def _is_name(text: str) -> bool:
    """A word that may be a compartment; the remains of a failed computation are none."""
    return bool(NAME.fullmatch(text)) and text.lower() not in ("nan", "inf", "infinity", "null")


def _rank(names: list[str], name: str) -> float:
    return names.index(name.lower()) + 1.0 if name.lower() in names else np.nan


def _with_events(draft: Draft) -> tuple[Draft, list[Breach]]:
    if "EVID" not in draft.places:
        dose = (draft.amt != 0) & ~np.isnan(draft.amt) | (draft.rate > 0) & (draft.ss > 0)
        # A row whose AMT cannot be read may be either.
        unsure = np.isnan(draft.amt) & ~draft.is_missing("AMT") & ~dose
        told = Breach(
            "I-EVID",
            f"there is no EVID: {dose.sum()} rows with an AMT are doses, {(~dose & ~unsure).sum()} are observations"
            + (f", {unsure.sum()} with an unreadable AMT are neither" if unsure.any() else ""),
            "EVID 1 is a dose, EVID 0 an observation",
        )
        return replace(draft, evid=np.where(unsure, np.nan, dose.astype(float))), [told]
    old = draft.evid == OLD_DOSE
    breaches = []
    elsewhere = old & (draft.cmt > 1)
    if elsewhere.any():
        breaches.append(
            draft.breach(
                "E-EVID",
                "CMT",
                elsewhere,
                "EVID 101 with another compartment in CMT",
                "EVID 101 is a dose into compartment 1",
                "write EVID 1 and the CMT that is meant",
            )
        )
    if (old & ~elsewhere).any():
        what = "EVID 101, read as EVID 1 into compartment 1"
        breaches.append(draft.told("I-EVID", "EVID", old & ~elsewhere, what))
    evid = np.where(old, 1.0, draft.evid)
    strange = ~np.isin(evid, (0, 1, 2, 3, 4)) & ~np.isnan(evid)
    if strange.any():
        breaches.append(
            draft.breach(
                "E-EVID",
                "EVID",
                strange,
                "kinds of event that do not exist",
                "EVID is 0 (observation), 1 (dose), 2 (other), 3 (reset) or 4 (reset and dose)",
                "correct EVID; 101 is accepted as a dose into compartment 1",
            )
        )
        # Nothing else is said about a row that means nothing.
        evid = np.where(strange, np.nan, evid)
        draft = replace(draft, unreadable=draft.unreadable | strange)
    return replace(draft, evid=evid, cmt=np.where(old & ~elsewhere, 1.0, draft.cmt)), breaches
