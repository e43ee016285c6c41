"""Pictures of a dataset: pooled profiles by endpoint and arm, and one small panel a subject."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pkpd.dataset.dataset import Dataset, Endpoint
from pkpd.dataset.drawable import Block, arm_of, blocks, dose_times, observed, typical

Scale = Literal["linear", "log"]

STYLE: dict[Any, Any] = {
    "axes.edgecolor": "#9aa3ad",
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": False,
    "font.size": 8.5,
    "xtick.color": "#6b7480",
    "xtick.labelcolor": "#333333",
    "ytick.color": "#6b7480",
    "ytick.labelcolor": "#333333",
}
DPI = 160
SUBJECT_COLOUR = "#0072B2"
LIMIT_COLOUR = "#D55E00"
TYPICAL_COLOUR = "#1a1a1a"
BLOCK_COLOUR = "#E9EEF4"

MOST_ARMS = 12
MOST_ACROSS = 4
PANELS_A_PAGE = 12
# Over such a span, in hours, days are the easier unit.
LONG_H = 72.0
# A line is not drawn over a gap longer than this many usual ones: between courses nothing was seen.
GAP = 8.0
# Values that spread over more than this factor are seen better on a log axis.
WIDE = 20.0


def pooled(dataset: Dataset, scale: Scale | None = None, by: str | None = None, after_dose: bool = False) -> Figure:
    """All subjects, one row of panels an endpoint, one column an arm.

    Thin lines are subjects, the thick one is the median where three or more were observed within an hour; triangles
    are values beyond a limit, drawn at the limit; ticks are doses, the shade is treatment without a pause.
    `after_dose`: against the time since the last dose, without what was seen before the first.
    """
    rows, members = observed(dataset, by), arm_of(dataset, by)
    if after_dose:
        rows = rows.assign(time_h=rows["after_dose_h"]).loc[rows["after_dose_h"].notna()]
    arms = sorted(set(members.values()), key=_by_number)
    shown, left_out = arms[:MOST_ARMS], arms[MOST_ARMS:]
    endpoints = [one for one in dataset.endpoints if one.name in set(rows["endpoint"])]
    title = f"{dataset.source}: {len(dataset.subjects)} subjects"
    title += f"; not shown: {', '.join(left_out)}" if left_out else ""
    across = min(MOST_ACROSS, len(shown))
    down = max(1, len(endpoints)) * -(-len(shown) // across)
    with matplotlib.rc_context(STYLE):
        figure = _figure(max(5.5, 3.4 * across), 2.5 * down + 0.9, title)
        # After a dose IL-2 is a matter of hours and cells one of weeks: each endpoint has an axis of its own.
        grid = figure.subplots(down, across, sharex="row" if after_dose else True, squeeze=False)
        for place, arm in enumerate(shown):
            subjects = [identity for identity, of in members.items() if of == arm]
            times = np.zeros(0) if after_dose else dose_times(dataset, subjects)
            treatment = blocks(times, _treated(dataset, subjects))
            first_line = place // across * len(endpoints)
            grid[first_line, place % across].set_title(
                f"{arm} ({len(subjects)})", loc="left", fontsize=8.5, parse_math=False
            )
            for line, endpoint in enumerate(endpoints):
                axes = grid[first_line + line, place % across]
                of_endpoint = rows.loc[rows["endpoint"] == endpoint.name]
                own = of_endpoint.loc[of_endpoint["arm"] == arm]
                unit = _unit_h((of_endpoint if after_dose else rows)["time_h"].to_numpy())
                _background(axes, treatment, times, unit)
                _subjects(axes, own, unit, len(subjects))
                hours, medians = typical(own)
                axes.plot(*_broken(hours / unit, medians), color=TYPICAL_COLOUR, linewidth=1.4, zorder=4)
                _scaled(axes, of_endpoint["value"].to_numpy(), endpoint, scale, place % across == 0)
                if after_dose:
                    _name_time(axes, "time after dose", unit)
        _tidy(grid, _unit_h(rows["time_h"].to_numpy()), labelled=not after_dose)
        _legend(figure, rows, doses=not after_dose)
    return figure


def individual(dataset: Dataset, scale: Scale | None = None) -> Iterator[Figure]:
    """Each endpoint in pages of twelve subjects, drawn one after the other."""
    rows = observed(dataset, None)
    for endpoint in dataset.endpoints:
        drawn = rows.loc[rows["endpoint"] == endpoint.name]
        subjects = dataset.subjects.tolist()
        pages = -(-len(subjects) // PANELS_A_PAGE) if len(drawn) else 0
        for page in range(pages):
            shown = subjects[page * PANELS_A_PAGE : (page + 1) * PANELS_A_PAGE]
            with matplotlib.rc_context(STYLE):
                yield _page(dataset, drawn, endpoint, shown, scale)


def save(figure: Figure, path: Path) -> None:
    """Write the figure as the file type its name says."""
    figure.savefig(path, dpi=DPI)


def _page(dataset: Dataset, rows: pd.DataFrame, endpoint: Endpoint, shown: list[object], scale: Scale | None) -> Figure:
    columns = min(4, len(shown))
    lines = -(-len(shown) // columns)
    figure = _figure(2.6 * columns + 0.6, 1.9 * lines + 0.9, f"{dataset.source}: {endpoint.name}")
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    unit = _unit_h(rows["time_h"].to_numpy())
    for axes, identity in zip(grid.flat, shown, strict=False):
        times = dose_times(dataset, [identity])
        _background(axes, blocks(times, 1), times, unit)
        _subjects(axes, rows.loc[rows["id"] == identity], unit, 1)
        axes.set_title(f"ID {identity}", loc="left", fontsize=8, parse_math=False)
    for axes in grid[:, 0]:
        _scaled(axes, rows["value"].to_numpy(), endpoint, scale, True)
    _tidy(grid, unit, labelled=True)
    _legend(figure, rows, typical_course=False)
    return figure


def _figure(width: float, height: float, title: str) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, parse_math=False)
    return figure


def _background(axes: Axes, treated: list[Block], times: np.ndarray, unit: float) -> None:
    for block in treated:
        axes.axvspan(block.start / unit, block.end / unit, color=BLOCK_COLOUR, linewidth=0, zorder=0)
    ticks = np.unique(times) / unit
    axes.vlines(ticks, 0.0, 0.05, transform=axes.get_xaxis_transform(), color="black", linewidth=0.6, zorder=5)


def _subjects(axes: Axes, rows: pd.DataFrame, unit: float, count: int) -> None:
    # The more there are, the fainter each is; below this nothing would be seen on paper.
    alpha = float(np.clip(6.0 / count, 0.12, 1.0))
    for _, own in rows.groupby("id", sort=False):
        line = _broken(own["time_h"].to_numpy() / unit, own["value"].to_numpy())
        axes.plot(*line, color=SUBJECT_COLOUR, linewidth=0.7, alpha=alpha, zorder=2)
    for cens, marker, colour in ((0, "o", SUBJECT_COLOUR), (1, "v", LIMIT_COLOUR), (-1, "^", LIMIT_COLOUR)):
        some = rows.loc[rows["cens"] == cens]
        size = 2.2 if cens == 0 else 4.5
        shown = max(alpha, 0.35)
        face = colour if cens == 0 else "none"
        axes.plot(
            some["time_h"] / unit,
            some["value"],
            linestyle="none",
            marker=marker,
            markersize=size,
            markeredgewidth=0.7,
            color=colour,
            markerfacecolor=face,
            alpha=shown if cens == 0 else 0.9,
            zorder=3,
        )


def _broken(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points of a line with a hole where time goes back, and in each gap much longer than the usual one."""
    gaps = np.diff(times)
    usual = np.median(gaps[gaps > 0]) if (gaps > 0).any() else np.inf
    holes = np.flatnonzero((gaps > GAP * usual) | (gaps < 0)) + 1
    return np.insert(times, holes, np.nan), np.insert(values, holes, np.nan)


def _scaled(axes: Axes, values: np.ndarray, endpoint: Endpoint, scale: Scale | None, labelled: bool) -> None:
    """Scale and label of a panel, the same for all of an endpoint; what a log axis cannot show is said on it."""
    label = f"{endpoint.name} ({endpoint.unit})" if endpoint.unit else endpoint.name
    above = values[values > 0]
    chosen = scale or ("log" if endpoint.scale == "log" or _spread(above) > WIDE else "linear")
    if chosen == "log" and len(above):
        axes.set_yscale("log")
        axes.set_ylim(above.min() / 1.6, above.max() * 1.6)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        hidden = int((values <= 0).sum())
        label += f"\n{hidden} of 0 or less not shown" if hidden else ""
    elif len(values):
        axes.set_ylim(min(0.0, values.min() * 1.05), values.max() * 1.05 or 1.0)
    axes.tick_params(labelleft=labelled)
    if labelled:
        axes.set_ylabel(label, parse_math=False)


def _spread(values: np.ndarray) -> float:
    if not len(values):
        return 1.0
    low, high = np.quantile(values, (0.05, 0.95))
    return float(high / low)


def _unit_h(times: np.ndarray) -> float:
    """Hours in the unit of the time axis."""
    return 24.0 if len(times) and np.ptp(times) > LONG_H else 1.0


def _tidy(grid: np.ndarray, unit: float, labelled: bool) -> None:
    """Leave out panels nothing was drawn on; `labelled`: the time axis under the lowest panel of each column."""
    for column in grid.T:
        used = [axes for axes in column if axes.has_data()]
        for axes in column:
            if axes not in used:
                axes.set_axis_off()
        if used and labelled:
            used[-1].tick_params(labelbottom=True)
            _name_time(used[-1], "time", unit)


def _name_time(axes: Axes, name: str, unit: float) -> None:
    axes.set_xlabel(f"{name} (d)" if unit > 1 else f"{name} (h)")


def _by_number(name: str) -> list[tuple[float, str]]:
    """Names in the order a reader expects: 2 before 10."""
    parts = re.split(r"(\d+\.?\d*)", name)
    return [(float(part), "") if part[:1].isdecimal() else (0.0, part) for part in parts]


def _treated(dataset: Dataset, subjects: list[object]) -> int:
    return len(set(dataset.doses["id"].tolist()) & set(subjects))


def _legend(figure: Figure, rows: pd.DataFrame, typical_course: bool = True, doses: bool = True) -> None:
    shown: list[Artist] = [
        Line2D([], [], color=SUBJECT_COLOUR, marker="o", markersize=2.5, linewidth=0.8, label="subject")
    ]
    if typical_course:
        shown.append(Line2D([], [], color=TYPICAL_COLOUR, linewidth=1.4, label="median (3 or more subjects)"))
    for cens, marker, name in ((1, "v", "below the limit, drawn at it"), (-1, "^", "above the limit, drawn at it")):
        if cens in rows["cens"].to_numpy():
            shown.append(
                Line2D([], [], linestyle="none", marker=marker, color=LIMIT_COLOUR, markerfacecolor="none", label=name)
            )
    if doses:
        shown.append(Line2D([], [], color="black", marker="|", linestyle="none", markersize=7, label="dose"))
        shown.append(Patch(color=BLOCK_COLOUR, label="on treatment"))
    figure.legend(handles=shown, loc="outside lower left", ncols=len(shown), fontsize=7.5, frameon=False)
