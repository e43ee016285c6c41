"""The printed figures of a comparison; here the profiles, in small multiples with one panel a regimen."""

from collections.abc import Iterator

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pkpd.regimens.drawing import (
    HOURS_PER_DAY,
    HOURS_PER_WEEK,
    IL2,
    NK,
    PATIENTS_COLOUR,
    REFERENCE_COLOUR,
    SHADE_COLOUR,
    THRESHOLD,
    TREG,
    Panel,
    drawable,
    footnote,
    shortened,
    week_step,
)
from pkpd.regimens.overview import overview_figure
from pkpd.regimens.results import Comparison, RegimenSummary
from pkpd.regimens.sheet import QUIET, RULE, STYLE, fold_axis, sheet

ZOOM_DAYS = 14


def figures(comparison: Comparison) -> Iterator[tuple[str, Figure]]:
    """Name and figure of each picture, drawn one after the other."""
    with matplotlib.rc_context(STYLE):
        yield "il2", il2_figure(comparison)
        yield "treg", cell_figure(comparison, TREG)
        yield "nk", cell_figure(comparison, NK)
        yield "overview", overview_figure(comparison)


def cell_figure(comparison: Comparison, panel: Panel) -> Figure:
    """Median and 90 % band of one cell type in folds of baseline, one panel a regimen, on the same axes."""
    count = len(comparison.regimens)
    columns = min(4, count)
    rows = -(-count // columns)
    note = f"   Dotted line: {THRESHOLD:g}-fold." if panel is TREG else ""
    figure = sheet(
        max(9.0, 3.3 * columns),
        2.2 * rows + 1.3,
        f"{panel.title}: the median patient and 90 % of patients",
        _legend(comparison),
        footnote(comparison) + note,
    )
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
    for axes, regimen in zip(grid, comparison.regimens, strict=False):
        _profile(axes, comparison, panel, regimen)
        axes.axhline(1.0, color=RULE, linewidth=0.7, zorder=1)
        if panel is TREG:
            axes.axhline(THRESHOLD, color=RULE, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
        _title(axes, regimen, width=46)
    for axes in grid[count:]:
        axes.set_axis_off()
    # Shared axes label only the lowest row, which need not be full.
    for axes in grid[max(0, count - columns) : count]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("time (weeks)")
    _weeks(grid[0], comparison)
    values = comparison.profiles[panel.variable].values
    logarithmic = fold_axis(grid[0], "y", min(1.0, float(values.min())), max(1.0, float(values.max())))
    figure.supylabel(panel.axis + (", log axis" if logarithmic else ""), fontsize=9)
    return figure


def _hourly(comparison: Comparison) -> str:
    """What the picture cannot show of doses into a vein."""
    into_a_vein = any(" iv" in one.sentence for one in comparison.regimens)
    return ", hour by hour: tops of i.v. doses lie between (see the table)" if into_a_vein else ""


def il2_figure(comparison: Comparison) -> Figure:
    """IL-2 on a log axis: for each regimen the whole course and, beside it, the first two weeks in detail."""
    count = len(comparison.regimens)
    columns = min(2, count)
    rows = -(-count // columns)
    figure = sheet(
        max(9.0, 7.2 * columns),
        1.75 * rows + 1.3,
        f"{IL2.title}: the median patient and 90 % of patients",
        _legend(comparison),
        footnote(comparison) + f"   Concentrations are drawn from {IL2.floor:g} IU/mL upwards{_hourly(comparison)}.",
    )
    ratios = {"width_ratios": [1.7, 1.0] * columns}
    grid = figure.subplots(rows, 2 * columns, sharex="col", sharey=True, squeeze=False, gridspec_kw=ratios)
    for i, regimen in enumerate(comparison.regimens):
        whole, zoom = grid[i // columns, 2 * (i % columns) :][:2]
        for axes, hours in ((whole, HOURS_PER_WEEK), (zoom, HOURS_PER_DAY)):
            _profile(axes, comparison, IL2, regimen, hours)
            # A white strip under the floor keeps the ticks of the doses clear of the curves.
            axes.axhspan(0.0, IL2.floor, color="white", linewidth=0, zorder=4.5)
        _title(whole, regimen, width=70)
        zoom.set_title(f"first {ZOOM_DAYS} days", loc="left", fontsize=7.2, color=QUIET, pad=5)
    for axes in grid.flat[2 * count :]:
        axes.set_axis_off()
    for column in range(2 * columns):
        lowest = grid[(count - 1 - column // 2) // columns, column]
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel("time (days)" if column % 2 else "time (weeks)")
    for axes in grid[0, ::2]:
        _weeks(axes, comparison)
    for axes in grid[0, 1::2]:
        axes.set_xlim(0, ZOOM_DAYS)
        axes.set_xticks(range(0, ZOOM_DAYS + 1, 2))
    highest = float(comparison.profiles["il2"].max())
    grid[0, 0].set_yscale("log")
    grid[0, 0].set_ylim(IL2.floor / 2, max(10.0, 1.5 * highest))
    grid[0, 0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    grid[0, 0].yaxis.set_minor_locator(NullLocator())
    figure.supylabel(f"{IL2.axis}, log axis", fontsize=9)
    return figure


def _profile(
    axes: Axes,
    comparison: Comparison,
    panel: Panel,
    regimen: RegimenSummary,
    hours_per_unit: float = HOURS_PER_WEEK,
) -> None:
    """Band, median, the reference's median in grey, on-blocks shaded, doses as ticks along the bottom."""
    profiles = comparison.profiles[panel.variable]
    times = comparison.profiles["time"].values / hours_per_unit
    low, median, high = drawable(panel, profiles.sel(regimen=regimen.name).values).T
    for start, end in regimen.on_blocks:
        axes.axvspan(start / hours_per_unit, end / hours_per_unit, color=SHADE_COLOUR, linewidth=0, zorder=0)
    if regimen.name != comparison.reference:
        grey = drawable(panel, profiles.sel(regimen=comparison.reference, quantile=0.5).values)
        axes.plot(times, grey, color=REFERENCE_COLOUR, linewidth=0.8, alpha=0.6, zorder=2)
    axes.fill_between(times, low, high, color=PATIENTS_COLOUR, alpha=0.25, linewidth=0, zorder=3)
    axes.plot(times, median, color=PATIENTS_COLOUR, linewidth=1.0, zorder=4)
    axes.vlines(
        regimen.dose_times_h / hours_per_unit,
        0.0,
        0.055,
        transform=axes.get_xaxis_transform(),
        color="black",
        linewidth=0.6,
        zorder=5,
    )


def _title(axes: Axes, regimen: RegimenSummary, width: int) -> None:
    """The regimen's name in bold and, below it, what it is; a user's text is never read as mathematics."""
    sentence = regimen.sentence if regimen.sentence != regimen.name else regimen.title
    axes.set_title(
        shortened(regimen.name, width - 8),
        loc="left",
        fontsize=9,
        fontweight="bold",
        pad=15,
        parse_math=False,
    )
    axes.annotate(
        shortened(sentence, width + 8),
        (0, 1),
        xytext=(0, 5),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=7.2,
        color=QUIET,
        parse_math=False,
    )


def _weeks(axes: Axes, comparison: Comparison) -> None:
    end = float(comparison.profiles["time"].values[-1]) / HOURS_PER_WEEK
    axes.set_xlim(0, end)
    axes.xaxis.set_major_locator(FixedLocator(list(np.arange(0, end + 1e-9, week_step(end)))))


def _legend(comparison: Comparison) -> list[Artist]:
    reference = shortened(comparison.reference, 40)
    return [
        Line2D([], [], color=PATIENTS_COLOUR, label="median patient"),
        Patch(color=PATIENTS_COLOUR, alpha=0.25, label="90 % of patients"),
        Line2D([], [], color=REFERENCE_COLOUR, alpha=0.6, linewidth=0.8, label=f"median under {reference}"),
        Line2D([], [], color="black", marker="|", linestyle="none", markersize=7, label="injection"),
        Patch(color=SHADE_COLOUR, label="on treatment"),
    ]
