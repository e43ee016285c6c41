"""Covariates and strata: read, carried to the rows that lack them by the rule declared, and checked."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from pkpd.dataset.columns import Layout, Numbers, labels, numbers, wrong_cells
from pkpd.dataset.declaration import Covariate
from pkpd.dataset.draft import Draft
from pkpd.dataset.findings import Breach

# So far outside its stated range a value is in another unit, or not this covariate.
FAR = 1e3


@dataclass(frozen=True)
class CovariateColumn:
    """A covariate, its kind settled, with one value a row; `missing`: how many cells were empty."""

    covariate: Covariate
    values: pd.Series
    missing: int


def read_covariates(
    draft: Draft, layout: Layout, declared: tuple[Covariate, ...]
) -> tuple[list[CovariateColumn], list[Breach]]:
    """The declared covariates that the table has, and what is wrong with them."""
    columns: list[CovariateColumn] = []
    breaches: list[Breach] = []
    inferred = []
    for covariate in declared:
        if covariate.name not in layout.covariates:
            continue
        place = layout.covariates[covariate.name]
        if covariate.kind is None:
            covariate = replace(covariate, kind=_kind(numbers(draft.sheet, place)))
            inferred.append(f"{covariate.name} {covariate.kind}")
        column, found = _read(draft, place, covariate)
        columns.append(column)
        breaches += found
    if inferred:
        fix = 'say it: covariates = { WT = "continuous", SEX = "categorical" }'
        breaches.append(Breach("I-COV", f"kinds of covariate as their cells look: {', '.join(inferred)}", "", fix))
    return columns, breaches


def _kind(column: Numbers) -> Literal["continuous", "categorical"]:
    """Categorical where cells hold text and none a number."""
    return "categorical" if column.bad.any() and not np.isfinite(column.values).any() else "continuous"


def _read(draft: Draft, place: int, covariate: Covariate) -> tuple[CovariateColumn, list[Breach]]:
    name = covariate.name
    draft = replace(draft, places={**draft.places, name: place})
    bad = np.zeros(len(draft), dtype=bool)
    if covariate.kind == "continuous":
        column = numbers(draft.sheet, place)
        bad = column.bad
        breaches = wrong_cells(draft.sheet, place, bad, draft.ids, name, False)
        breaches += _out_of_range(draft, covariate, column.values)
        codes, levels = pd.factorize(column.values, use_na_sentinel=True)
        carried = _carried(draft.subject, codes, covariate.carry)
        held = pd.Series(np.append(levels, np.nan)[carried], dtype=float)
    else:
        column = labels(draft.sheet, place)
        codes = column.codes
        breaches = _unknown_labels(draft, covariate, column.names, codes)
        carried = _carried(draft.subject, codes, covariate.carry)
        held = _categories([covariate.labels.get(label, label) for label in column.names], carried)
    empty = (codes < 0) & ~bad
    breaches += _gaps(draft, covariate, empty, carried) + _changes(draft, covariate, carried)
    # The labels of the file have done their work: the values are the labels now.
    return CovariateColumn(replace(covariate, labels={}), held, int(empty.sum())), breaches


def _categories(names: list[str], codes: np.ndarray) -> pd.Series:
    """Labels in alphabetical order as categories, whatever order the file meets them in."""
    known = sorted(set(names))
    rank = np.array([*(known.index(name) for name in names), -1], dtype=int)
    return pd.Series(pd.Categorical.from_codes(rank[codes], categories=known))


def _carried(subject: np.ndarray, codes: np.ndarray, carry: str) -> np.ndarray:
    """Codes of every row, an empty one taking that of the next filled row of its subject ("nocb") or of
    the last ("locf"); under nocb the last rows, which have no next, take the last value."""
    if (codes >= 0).all():
        return codes
    filled = _from_before(subject[::-1], codes[::-1])[::-1] if carry == "nocb" else codes
    return _from_before(subject, filled)


def _from_before(subject: np.ndarray, codes: np.ndarray) -> np.ndarray:
    latest = np.maximum.accumulate(np.where(codes >= 0, np.arange(len(codes)), -1))
    reachable = (latest >= 0) & (subject[latest] == subject)
    return np.where(reachable, codes[latest], -1)


def _gaps(draft: Draft, covariate: Covariate, empty: np.ndarray, carried: np.ndarray) -> list[Breach]:
    name, breaches = covariate.name, []
    lost = empty & (carried < 0)
    filled = empty & (carried >= 0)
    if filled.any():
        rule = "the next value of the subject" if covariate.carry == "nocb" else "the last value of the subject"
        breaches.append(draft.told("I-COV", name, filled, f"rows without {name} that take {rule} ({covariate.carry})"))
    if lost.any():
        breaches.append(
            draft.breach(
                "E-COV",
                name,
                lost,
                f"rows to which no {name} can be carried",
                f"a subject has its {name} at the start (carried by {covariate.carry})",
                'write the value, or leave the subject out: ignore = ["ID == .."]',
            )
        )
    return breaches


def _changes(draft: Draft, covariate: Covariate, codes: np.ndarray) -> list[Breach]:
    """What is wrong, or to be told, where a value is not that of the row before in the same subject."""
    changed = np.zeros(len(draft), dtype=bool)
    changed[1:] = (codes[1:] != codes[:-1]) & (codes[1:] >= 0) & (codes[:-1] >= 0)
    changed &= draft.follows
    if not changed.any():
        return []
    name = covariate.name
    if not covariate.constant:
        what = f"changes of {name} within a subject; between records it is carried by {covariate.carry}"
        return [draft.told("I-COV", name, changed, what)]
    return [
        draft.breach(
            "E-COV",
            name,
            changed,
            f"{name} changes within a subject",
            f"{name} is declared constant: one value a subject",
            "correct the cell, or declare it as changing (constant=False)",
        )
    ]


def _out_of_range(draft: Draft, covariate: Covariate, values: np.ndarray) -> list[Breach]:
    low = -np.inf if covariate.low is None else covariate.low
    high = np.inf if covariate.high is None else covariate.high
    far = (values > high * FAR) if high > 0 else np.zeros(len(values), dtype=bool)
    far |= (values < low / FAR) if low > 0 else False
    outside = ((values < low) | (values > high)) & ~far
    stated = f"{covariate.name} lies between {low:g} and {high:g}, as declared"
    breaches = []
    if far.any():
        what = f"{covariate.name} a thousand times outside its range"
        breaches.append(draft.breach("E-COV", covariate.name, far, what, stated, "check the unit"))
    if outside.any():
        what = f"{covariate.name} outside its range"
        breaches.append(draft.told("W-COV", covariate.name, outside, what, stated, "check these subjects"))
    return breaches


def _unknown_labels(draft: Draft, covariate: Covariate, names: tuple[str, ...], codes: np.ndarray) -> list[Breach]:
    if not covariate.labels:
        return []
    known = {*covariate.labels, *covariate.labels.values()}
    strange = np.array([*(name not in known for name in names), False], dtype=bool)[codes]
    if not strange.any():
        return []
    return [
        draft.breach(
            "E-COV",
            covariate.name,
            strange,
            f"values of {covariate.name} that no label is declared for",
            f"known are {', '.join(sorted(known))}",
            "correct the cell, or declare the label",
        )
    ]
