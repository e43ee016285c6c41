"""The regimens side by side: the deciding metrics as dots with two kinds of interval, drawn apart."""

import math
import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pkpd.regimens.drawing import DOUBT_COLOUR, PATIENTS_COLOUR, SHADE_COLOUR, axis_unit, footnote
from pkpd.regimens.results import Comparison, Estimate
from pkpd.regimens.sheet import QUIET, RULE, fold_axis, sheet

OVERVIEW = ("treg_mean_treatment", "treg_peak", "treg_time_above_1.3", "nk_peak", "selectivity")

_PATIENTS = Line2D([], [], color=PATIENTS_COLOUR, marker="o", label="median patient, and where 90 % of patients lie")
_DOUBT = Line2D(
    [],
    [],
    color=DOUBT_COLOUR,
    linewidth=4.5,
    alpha=0.45,
    label="where that median itself lies (90 %), because typical values are uncertain",
)
_REFERENCE = Patch(color=SHADE_COLOUR, label="reference regimen")


def overview_figure(comparison: Comparison) -> Figure:
    """Median, spread of patients and uncertainty of the median, one row a regimen and one panel a metric."""
    metrics = [metric for metric in OVERVIEW if comparison.has(metric)]
    count = len(comparison.regimens)
    figure = sheet(
        max(11.5, 3.0 + 2.3 * len(metrics)),
        0.5 * count + 2.0,
        "Regimens side by side",
        (_PATIENTS, _DOUBT, _REFERENCE) if comparison.doubted else (_PATIENTS, _REFERENCE),
        footnote(comparison),
    )
    grid = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axes, metric in zip(grid, metrics, strict=True):
        _dots(axes, [comparison.estimate(name, metric) for name in comparison.names])
        place = comparison.names.index(comparison.reference)
        axes.axhspan(place - 0.5, place + 0.5, color=SHADE_COLOUR, zorder=0, linewidth=0)
    grid[0].set_yticks(range(count), ["\n".join(textwrap.wrap(name, 30)) for name in comparison.names])
    for label in grid[0].get_yticklabels():
        label.set_parse_math(False)
    grid[0].set_ylim(count - 0.5, -0.5)
    return figure


def fold_range(estimates: list[Estimate]) -> tuple[float, float]:
    """The lowest and the highest end of all intervals of a metric in folds, and of the baseline, 1."""
    ends = [end for e in estimates for end in (e.low, e.high, e.median_low, e.median_high) if math.isfinite(end)]
    return min([1.0, *ends]), max([1.0, *ends])


def _dots(axes: Axes, estimates: list[Estimate]) -> None:
    """One metric: the patients above, the uncertainty of their median below, a dash for no number."""
    for place, estimate in enumerate(estimates):
        if math.isnan(estimate.median):
            axes.annotate("–", (0.02, place), xycoords=("axes fraction", "data"), color=QUIET, va="center")
            continue
        above, below = place - 0.15, place + 0.18
        axes.hlines(above, estimate.low, estimate.high, color=PATIENTS_COLOUR, linewidth=1.6)
        axes.plot(estimate.median, above, "o", color=PATIENTS_COLOUR, markersize=5.5)
        if math.isnan(estimate.median_low):
            continue
        axes.hlines(below, estimate.median_low, estimate.median_high, color=DOUBT_COLOUR, linewidth=4.5, alpha=0.45)
        axes.plot(estimate.median, below, "|", color=DOUBT_COLOUR, markersize=7, markeredgewidth=1.6)
    unit = estimates[0].unit
    axes.set_xlabel(axis_unit(unit))
    axes.set_title("\n".join(textwrap.wrap(estimates[0].label, 26)), loc="left", fontsize=9, parse_math=False)
    axes.grid(axis="x", color="#e3e7eb", linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    if unit == "fold":
        if fold_axis(axes, "x", *fold_range(estimates)):
            axes.set_xlabel(f"{axis_unit(unit)}, log axis")
        axes.axvline(1.0, color=RULE, linewidth=0.7)
