"""What a comparison of regimens found: profiles, metrics, assumptions and origin in one frozen object."""

import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pkpd.regimens.numerals import display, interval, number, suffix
from pkpd.storage import writable_folder, write_atomically

TABLE_COLUMNS = (
    "regimen",
    "metric",
    "label",
    "unit",
    "group",
    "median",
    "low",
    "high",
    "median_low",
    "median_high",
)
ASSUMPTION_COLUMNS = ("used_for", "symbol", "meaning", "value", "unit", "status", "grade", "source")

# A spreadsheet runs a cell that begins with one of these as a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, eq=False)
class RegimenSummary:
    """A regimen as it was simulated; times in h since the first day's start.

    `on_blocks` are (start, end) of the stretches of dosing; `treatment_end_h` is where follow-up begins.
    """

    name: str
    sentence: str
    title: str
    population: str
    source: str
    status: str
    dose_times_h: np.ndarray
    on_blocks: tuple[tuple[float, float], ...]
    treatment_end_h: float
    total_dose: str


@dataclass(frozen=True)
class Estimate:
    """One metric under one regimen, in the unit in which it is shown.

    `low` and `high` hold 90 % of the patients; `median_low` and `median_high` hold the median itself with
    90 % probability, given how well the typical values are known. The two are never combined.
    """

    label: str
    unit: str
    median: float
    low: float
    high: float
    median_low: float
    median_high: float

    @property
    def fixed(self) -> bool:
        """Whether the number is the same for everyone whatever the parameters, such as a count of doses."""
        ends = (self.low, self.high, self.median_low, self.median_high)
        return all(end == self.median or math.isnan(end) for end in ends)

    @property
    def value(self) -> str:
        """The median as text, without its unit."""
        return number(self.median, self.unit)

    @property
    def quantity(self) -> str:
        """The median as text, with its unit."""
        return self.value + ("" if math.isnan(self.median) else suffix(self.unit))

    @property
    def patients(self) -> str:
        """Where 90 % of the patients lie."""
        return interval(self.low, self.high, self.unit)

    @property
    def doubt(self) -> str:
        """Where the median itself lies, not knowing the typical values exactly."""
        return interval(self.median_low, self.median_high, self.unit)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Regimens compared in one virtual population.

    `profiles`: quantiles over patients of `il2` [IU/mL], `treg` and `nk` [fold of baseline], dims (regimen,
    time, quantile) with time in h; `metric_values` (regimen, patient, metric); the patients' demographics.
    `table`: one row a regimen and metric, columns `TABLE_COLUMNS`. `assumptions`: inputs that are not
    established facts, columns `ASSUMPTION_COLUMNS`. `reference`: the regimen the others are held against.
    `provenance`: versions, seed, command, platform and date, at least.

    Raises `ValueError` where these parts contradict each other.
    """

    profiles: xr.Dataset
    table: pd.DataFrame
    assumptions: pd.DataFrame
    regimens: tuple[RegimenSummary, ...]
    reference: str
    provenance: dict[str, Any]

    def __post_init__(self) -> None:
        for frame, columns in ((self.table, TABLE_COLUMNS), (self.assumptions, ASSUMPTION_COLUMNS)):
            if missing := [column for column in columns if column not in frame.columns]:
                raise ValueError(f"the table lacks the columns {missing}; it has {list(frame.columns)}")
        if list(self.profiles["regimen"].values) != list(self.names):
            raise ValueError("profiles and regimens name different regimens, or in another order")
        if self.reference not in self.names:
            raise ValueError(f"reference '{self.reference}' is not among the regimens {list(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The regimens' names in the order in which they were asked for."""
        return tuple(regimen.name for regimen in self.regimens)

    @property
    def doubted(self) -> bool:
        """Whether it was found how far the medians are known."""
        moving = self.table["group"] != "Cost"  # what is given is known anyway
        return bool(np.isfinite(self.table.loc[moving, "median_low"].to_numpy(dtype=float)).any())

    def regimen(self, name: str) -> RegimenSummary:
        """The regimen called `name`; raises `KeyError` if there is none."""
        return self._regimens[name]

    def has(self, metric: str) -> bool:
        """Whether any regimen has a row for this metric."""
        return metric in self._labels

    def estimate(self, regimen: str, metric: str) -> Estimate:
        """The row of one regimen and metric in display units; missing numbers if the table has no such row.

        Raises `KeyError` if the metric is unknown for every regimen.
        """
        if (regimen, metric) in self._estimates:
            return self._estimates[regimen, metric]
        label, unit = self._labels[metric]
        return Estimate(label, unit, *[math.nan] * 5)

    @cached_property
    def _regimens(self) -> dict[str, RegimenSummary]:
        return {regimen.name: regimen for regimen in self.regimens}

    @cached_property
    def _labels(self) -> dict[str, tuple[str, str]]:
        rows = self.table[["metric", "label", "unit"]].to_numpy()
        return {metric: (label, display(unit)[1]) for metric, label, unit in rows}

    @cached_property
    def _estimates(self) -> dict[tuple[str, str], Estimate]:
        estimates = {}
        for regimen, metric, label, unit, _, *numbers in self.table[list(TABLE_COLUMNS)].to_numpy():
            divisor, shown = display(unit)
            estimates[regimen, metric] = Estimate(label, shown, *(float(value) / divisor for value in numbers))
        return estimates

    def to_json(self) -> dict[str, Any]:
        """Everything but the profiles, as plain JSON values; a missing number is None."""
        from pkpd.regimens.answer import answer

        found = answer(self)
        return {
            "reference": self.reference,
            "answer": [found.question, *found.lead, *found.detail],
            "regimens": [_plain(vars(regimen)) for regimen in self.regimens],
            "table": _plain(self.table.to_dict(orient="records")),
            "assumptions": _plain(self.assumptions.to_dict(orient="records")),
            "provenance": _plain(self.provenance),
        }

    def write(self, folder: Path) -> list[Path]:
        """Write tables, profiles, figures and the report into `folder`; returns the files, numbers first.

        Each file appears whole or not at all. Raises `InputError` if the folder cannot be written to.
        """
        from pkpd.regimens.figures import figures
        from pkpd.regimens.report import report
        from pkpd.regimens.sheet import DPI

        writable_folder(folder)
        written = [
            write_atomically(folder / "comparison.csv", lambda path: _write_csv(self.table, path)),
            write_atomically(folder / "assumptions.csv", lambda path: _write_csv(self.assumptions, path)),
            write_atomically(
                folder / "profiles.nc",
                lambda path: self.profiles.to_netcdf(path, engine="h5netcdf"),
            ),
        ]
        # Drawn only now: whatever happens to a picture, the numbers are safe.
        for name, figure in figures(self):
            written.append(
                write_atomically(
                    folder / f"{name}.png",
                    lambda path, figure=figure: figure.savefig(path, dpi=DPI),
                )
            )
        page = report(self)
        written.append(
            write_atomically(
                folder / "report.html",
                lambda path: path.write_text(page, encoding="utf-8"),
            )
        )
        return written


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    """CSV with all digits; text that a spreadsheet would run as a formula gets a leading apostrophe."""

    def harmless(cell: object) -> object:
        return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell

    frame.map(harmless).to_csv(path, index=False)


def _plain(value: Any) -> Any:
    """Numpy values, arrays and non-finite numbers as what JSON knows."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"{json.dumps(str(value))} is no JSON value")
