"""What the pictures of a dataset draw, as numbers: observations by arm, typical course, doses, blocks of treatment."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pkpd.dataset.calendar import GRID_H, MOST_WRITTEN_OUT
from pkpd.dataset.dataset import Dataset
from pkpd.errors import InputError

# A course is typical where at least so many subjects were observed at a time.
FEWEST_SUBJECTS = 3
# A dose belongs to the plan of an arm if at least this share of its treated subjects got it.
PLANNED_SHARE = 0.25
# A pause longer than this many usual intervals ends a block of treatment.
PAUSE = 1.9
ALL = "all subjects"


@dataclass(frozen=True)
class Block:
    """Treatment without a pause, from the first dose to one interval after the last [h]."""

    start: float
    end: float


def observed(dataset: Dataset, by: str | None) -> pd.DataFrame:
    """One row an observation that is scored: id, arm, endpoint, time_h, after_dose_h, value, cens.

    `after_dose_h`: since the last dose (of ADDL too), NaN before the first. `by`: the stratum or covariate whose
    first value is the arm of a subject; None: the first stratum, or no arms. Raises `InputError` where there is
    no such column.
    """
    rows = dataset.observations
    arms = arm_of(dataset, by)
    return pd.DataFrame(
        {
            "id": rows["id"].to_numpy(),
            "arm": [arms[identity] for identity in rows["id"].tolist()],
            "endpoint": rows["endpoint"].astype(str).to_numpy(),
            "time_h": rows["time"].to_numpy(),
            "after_dose_h": _after_dose(dataset, rows),
            "value": rows["dv"].to_numpy(),
            "cens": rows["cens"].to_numpy(),
        }
    )


def arm_of(dataset: Dataset, by: str | None) -> dict[object, str]:
    """The arm of each subject."""
    strata = [one.name for one in dataset.covariates if one.role == "stratum"]
    name = by or (strata[0] if strata else None)
    if name is None:
        return dict.fromkeys(dataset.subjects.tolist(), ALL)
    known = [one.name for one in dataset.covariates]
    if name not in known:
        declared = ", ".join(known) or "none"
        raise InputError(f"{dataset.source}: cannot group by '{name}'; declared strata and covariates: {declared}")
    first = dataset.table.drop_duplicates("id")
    return {row[0]: f"{name} {row[1]}" for row in first[["id", name]].to_numpy(dtype=object).tolist()}


def typical(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Times [h] and medians where enough subjects were observed within an hour of one another.

    A censored value counts as its limit: the median is right as long as less than half of the values are censored.
    """
    if rows.empty:
        return np.empty(0), np.empty(0)
    bins = rows.assign(bin=np.round(rows["time_h"] / GRID_H)).groupby("bin")
    enough = (bins["id"].nunique() >= FEWEST_SUBJECTS).to_numpy()
    return bins["time_h"].median().to_numpy()[enough], bins["value"].median().to_numpy()[enough]


def dose_times(dataset: Dataset, subjects: list[object]) -> np.ndarray:
    """Times [h] of all doses of some subjects, ADDL written out, on the grid of calendars, one a subject and time."""
    doses = dataset.doses
    doses = doses.loc[doses["id"].isin(subjects)]
    who, given = _written_out(doses, pd.factorize(doses["id"])[0])
    grid = np.round(given / GRID_H) * GRID_H
    return np.unique(np.column_stack([who, grid]), axis=0)[:, 1] if len(grid) else np.empty(0)


def _written_out(doses: pd.DataFrame, subject: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Subject and time [h] of each dose, those of ADDL included."""
    time, addl, interval = (doses[column].to_numpy() for column in ("time", "addl", "ii"))
    repeats = np.minimum(addl, MOST_WRITTEN_OUT) + 1
    nth = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return np.repeat(subject, repeats), np.repeat(time, repeats) + nth * np.repeat(interval, repeats)


def _after_dose(dataset: Dataset, rows: pd.DataFrame) -> np.ndarray:
    subject = pd.Series(range(len(dataset.subjects)), index=dataset.subjects)
    doses = dataset.doses
    who, given = _written_out(doses, subject.loc[doses["id"]].to_numpy())
    order = np.lexsort((given, who))
    who, given = who[order], given[order]
    after = np.full(len(rows), np.nan)
    starts = np.searchsorted(who, np.arange(len(subject) + 1))
    seen_in, seen_at = subject.loc[rows["id"]].to_numpy(), rows["time"].to_numpy()
    for nth in np.unique(seen_in):
        own = given[starts[nth] : starts[nth + 1]]
        mine = seen_in == nth
        last = np.searchsorted(own, seen_at[mine], side="right") - 1
        after[mine] = np.where(last >= 0, seen_at[mine] - own[np.maximum(last, 0)] if len(own) else np.nan, np.nan)
    return after


def blocks(times: np.ndarray, treated: int) -> list[Block]:
    """The blocks of treatment of an arm, from the dose times of its `treated` subjects."""
    moments, counts = np.unique(times, return_counts=True)
    planned = moments[counts >= max(1, PLANNED_SHARE * treated)]
    if len(planned) < 2:
        return []
    gaps = np.diff(planned)
    usual = float(np.median(gaps))
    ends = np.flatnonzero(gaps > PAUSE * usual)
    firsts, lasts = np.append(0, ends + 1), np.append(ends, len(planned) - 1)
    return [
        Block(float(planned[first]), float(planned[last]) + usual) for first, last in zip(firsts, lasts, strict=True)
    ]
