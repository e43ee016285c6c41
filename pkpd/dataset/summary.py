"""What a reviewer wants to know about a table before trusting a result computed from it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pkpd.dataset.calendar import Calendar, calendars
from pkpd.dataset.dataset import Dataset, Endpoint
from pkpd.dataset.declaration import Covariate

SHOWN = 12


@dataclass(frozen=True)
class EndpointSummary:
    """Observations of one endpoint; `low`, `median`, `high` of those that were measured (None: there
    are none)."""

    name: str
    unit: str | None
    observations: int
    subjects: int
    below: int
    above: int
    predictions: int
    low: float | None
    median: float | None
    high: float | None

    @property
    def share_below(self) -> float:
        """Share of the observations below the limit of quantification."""
        return self.below / self.observations if self.observations else 0.0


@dataclass(frozen=True)
class CovariateSummary:
    """A covariate over subjects, each with its first value; `levels` for a categorical one, the range
    for others."""

    name: str
    role: str
    kind: str
    unit: str | None
    carry: str
    missing: int
    varies: int
    low: float | None
    median: float | None
    high: float | None
    levels: dict[str, int]


@dataclass(frozen=True)
class Summary:
    """The counts of a dataset. `records` by what they are; times in hours."""

    subjects: int
    rows: int
    records: dict[str, int]
    first_h: float
    last_h: float
    calendars: tuple[Calendar, ...]
    endpoints: tuple[EndpointSummary, ...]
    covariates: tuple[CovariateSummary, ...]
    unused: tuple[str, ...]


def summarised(dataset: Dataset) -> Summary:
    """The summary of a dataset."""
    table = dataset.table
    evid, mdv, cens, time = (table[column].to_numpy() for column in ("evid", "mdv", "cens", "time"))
    scored = (evid == 0) & (mdv == 0)
    kinds = {
        "doses": (evid == 1) | (evid == 4),
        "of these with a reset": evid == 4,
        "resets": evid == 3,
        "observations": scored,
        "of these below the limit": scored & (cens == 1),
        "of these above the limit": scored & (cens == -1),
        "predictions": (evid == 0) & ~scored,
        "other": evid == 2,
    }
    return Summary(
        subjects=len(dataset.subjects),
        rows=len(table),
        records={name: int(rows.sum()) for name, rows in kinds.items()},
        first_h=float(time.min()),
        last_h=float(time.max()),
        calendars=calendars(dataset),
        endpoints=tuple(_endpoint(table, endpoint) for endpoint in dataset.endpoints),
        covariates=tuple(_covariate(dataset, covariate) for covariate in dataset.covariates),
        unused=dataset.unused,
    )


def in_brief(dataset: Dataset) -> Iterator[str]:
    """What a fit of a dataset should begin with: how much is seen, and what was told when it was read."""
    summary = summarised(dataset)
    counts = ", ".join(f"{count} {name}" for name, count in summary.records.items() if count)
    yield f"{summary.subjects} subjects, {counts}"
    yield from (one.told for one in dataset.findings.breaches)


def in_lines(summary: Summary) -> Iterator[str]:
    """The summary as text, line by line."""
    yield f"{summary.subjects} subjects, {summary.rows} rows, {summary.first_h:g} h to {summary.last_h:g} h"
    yield "  " + ", ".join(f"{count} {name}" for name, count in summary.records.items() if count)
    yield "doses"
    for calendar in summary.calendars[:SHOWN]:
        subjects = "1 subject" if calendar.subjects == 1 else f"{calendar.subjects} subjects"
        yield f"  {subjects} (as ID {calendar.example}): {calendar.doses}"
    if len(summary.calendars) > SHOWN:
        rest = summary.subjects - sum(calendar.subjects for calendar in summary.calendars[:SHOWN])
        yield f"  and other calendars, of {rest} subjects"
    yield "endpoints"
    for endpoint in summary.endpoints:
        limits = f", {endpoint.below} below the limit ({endpoint.share_below:.1%})"
        limits += f", {endpoint.above} above the limit" if endpoint.above else ""
        values = _range(endpoint.low, endpoint.median, endpoint.high)
        yield (
            f"  {endpoint.name} [{endpoint.unit or 'no unit'}]: {endpoint.observations} observations of "
            f"{endpoint.subjects} subjects{limits}; measured {values}"
        )
    if summary.covariates:
        yield "covariates (first value of each subject)"
    for covariate in summary.covariates:
        values = _range(covariate.low, covariate.median, covariate.high)
        if covariate.levels:
            values = ", ".join(f"{level} {count}" for level, count in list(covariate.levels.items())[:SHOWN])
        changes = f"; changes in {covariate.varies} subjects, carried by {covariate.carry}" if covariate.varies else ""
        unit = f" [{covariate.unit}]" if covariate.unit else ""
        yield (
            f"  {covariate.name}{unit}, {covariate.kind} {covariate.role}: {values}; "
            f"{covariate.missing} cells missing{changes}"
        )
    if summary.unused:
        yield f"not used: {', '.join(summary.unused)}"


def _endpoint(table: pd.DataFrame, endpoint: Endpoint) -> EndpointSummary:
    asked = ((table["endpoint"] == endpoint.name) & (table["evid"] == 0)).to_numpy()
    scored = asked & (table["mdv"] == 0).to_numpy()
    cens = table["cens"].to_numpy()
    low, median, high = _quantiles(table["dv"].to_numpy()[scored & (cens == 0)])
    return EndpointSummary(
        name=endpoint.name,
        unit=endpoint.unit,
        observations=int(scored.sum()),
        subjects=len(np.unique(pd.factorize(table["id"])[0][scored])),
        below=int((scored & (cens == 1)).sum()),
        above=int((scored & (cens == -1)).sum()),
        predictions=int((asked & ~scored).sum()),
        low=low,
        median=median,
        high=high,
    )


def _covariate(dataset: Dataset, covariate: Covariate) -> CovariateSummary:
    subject, _ = pd.factorize(dataset.table["id"])
    values = dataset.table[covariate.name]
    _, first = np.unique(subject, return_index=True)
    codes, _ = pd.factorize(values)
    changed = (codes[1:] != codes[:-1]) & (subject[1:] == subject[:-1])
    low = median = high = None
    levels: dict[str, int] = {}
    if covariate.kind == "continuous":
        low, median, high = _quantiles(values.to_numpy(dtype=float)[first])
    else:
        names, counts = np.unique(values.astype(str).to_numpy()[first], return_counts=True)
        levels = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    return CovariateSummary(
        name=covariate.name,
        role=covariate.role,
        kind=covariate.kind or "",
        unit=dataset.units.get(covariate.name),
        carry=covariate.carry,
        missing=dataset.missing.get(covariate.name, 0),
        varies=len(np.unique(subject[1:][changed])),
        low=low,
        median=median,
        high=high,
        levels=levels,
    )


def _quantiles(values: np.ndarray) -> tuple[float | None, float | None, float | None]:
    present = values[~np.isnan(values)]
    if not len(present):
        return None, None, None
    low, median, high = np.quantile(present, (0.0, 0.5, 1.0))
    return float(low), float(median), float(high)


def _range(low: float | None, median: float | None, high: float | None) -> str:
    if low is None or median is None or high is None:
        return "none"
    return f"{low:.4g} to {high:.4g}, median {median:.4g}"
