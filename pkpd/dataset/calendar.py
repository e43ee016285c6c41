"""What was given when: the doses of a subject in words, and how many subjects share a calendar."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pkpd.dataset.dataset import Dataset

# Doses that differ from the plan by less belong to the same calendar.
GRID_H = 1.0
MOST_WRITTEN_OUT = 2_000
MOST_RUNS = 8
MOST_CALENDARS = 100


@dataclass(frozen=True)
class Calendar:
    """Subjects treated alike: how many, the first of them, and their doses in words."""

    subjects: int
    example: str
    doses: str


@dataclass(frozen=True)
class DoseRow:
    """A dose row, its time on the grid of calendars."""

    time: float
    amt: float
    cmt: float
    rate: float
    dur: float
    addl: float
    ii: float
    ss: float
    evid: float

    def __str__(self) -> str:
        """What the row says beside amount and time."""
        said = [f"at {self.rate:g}/h"] if self.rate > 0 else []
        if self.rate < 0:
            said.append("rate from the model" if self.rate == -1 else "duration from the model")
        if self.dur > 0:
            said.append(f"over {self.dur:g} h")
        if self.cmt:
            said.append(f"into {self.cmt:g}")
        if self.ss:
            said.append(f"at steady state (SS {self.ss:g}, every {self.ii:g} h)")
        if self.evid == 4:
            said.append("after a reset")
        return " ".join(said)


COLUMNS = tuple(DoseRow.__dataclass_fields__)


@dataclass(frozen=True)
class Run:
    """`count` doses of one amount, from `start` [h] every `interval` [h]; `how`: what else their rows say."""

    start: float
    interval: float
    count: int
    amount: float
    how: str


def calendars(dataset: Dataset) -> tuple[Calendar, ...]:
    """The calendars of a dataset, the most frequent first; the untreated are one of their own.

    No more than `MOST_CALENDARS` are put in words: actual times can make every subject a calendar of its own.
    """
    doses = dataset.doses
    rows = pd.DataFrame({column: doses[column].to_numpy() for column in COLUMNS})
    rows["time"] = np.round(rows["time"] / GRID_H) * GRID_H
    kinds = rows.groupby(list(COLUMNS), sort=False).ngroup().to_numpy()
    subject, identities = pd.factorize(doses["id"].to_numpy())
    bounds = [*np.flatnonzero(np.diff(subject, prepend=-1)), len(subject)]
    alike: dict[bytes, list[int]] = {}
    for nth in range(len(identities)):
        alike.setdefault(kinds[bounds[nth] : bounds[nth + 1]].tobytes(), []).append(nth)
    unit = dataset.units.get("AMT", "")
    found = []
    for members in sorted(alike.values(), key=len, reverse=True)[:MOST_CALENDARS]:
        held = rows.iloc[bounds[members[0]] : bounds[members[0] + 1]].to_numpy().tolist()
        words = in_words([DoseRow(*row) for row in held], unit)
        found.append(Calendar(len(members), str(identities[members[0]]), words))
    treated = set(identities)
    untreated = [identity for identity in dataset.subjects if identity not in treated]
    if untreated:
        found.append(Calendar(len(untreated), str(untreated[0]), "no dose"))
    return tuple(found)


def in_words(doses: list[DoseRow], unit: str) -> str:
    """The dose rows of one subject in words: runs of equal doses at equal intervals."""
    written_out = sum(1 + int(row.addl) for row in doses)
    runs = _runs(doses) if written_out <= MOST_WRITTEN_OUT else []
    if 0 < len(runs) <= MOST_RUNS:
        return "; ".join(_run_in_words(run, unit) for run in runs)
    amounts = [row.amt for row in doses]
    last = max(row.time + row.addl * row.ii for row in doses)
    given = " ".join(part for part in (f"{min(amounts):.4g} to {max(amounts):.4g}", unit) if part)
    return f"{written_out} doses of {given}, {_time(doses[0].time)} to {_time(last)}"


def _runs(doses: list[DoseRow]) -> list[Run]:
    given = [(row.time + k * row.ii, row.amt, str(row)) for row in doses for k in range(int(row.addl) + 1)]
    runs: list[Run] = []
    for time, amount, how in sorted(given, key=lambda dose: dose[0]):
        last = runs[-1] if runs else None
        if last is None or (last.amount, last.how) != (amount, how):
            runs.append(Run(time, 0.0, 1, amount, how))
            continue
        interval = time - (last.start + (last.count - 1) * last.interval)
        if last.count == 1 or abs(interval - last.interval) <= GRID_H:
            step = interval if last.count == 1 else last.interval
            runs[-1] = Run(last.start, step, last.count + 1, amount, how)
        else:
            runs.append(Run(time, 0.0, 1, amount, how))
    return runs


def _run_in_words(run: Run, unit: str) -> str:
    dose = " ".join(part for part in (f"{run.amount:.6g}", unit, run.how) if part)
    if run.count == 1 or not run.interval:
        dose = dose if run.count == 1 else f"{run.count} × {dose}"
        return f"{dose} at {_time(run.start)}"
    return f"{run.count} × {dose}, every {_time(run.interval)} from {_time(run.start)}"


def _time(hours: float) -> str:
    return f"{hours / 24:g} d" if hours and hours % 24 == 0 else f"{hours:g} h"
