"""The sheet on which a printed figure is drawn: title, legend and footnote around a space for the axes."""

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from pkpd.regimens.drawing import FOLD_TICKS, needs_log

DPI = 160
# Matplotlib types the keys as one long list of literals.
STYLE: dict[Any, Any] = {
    "axes.edgecolor": "#9aa3ad",
    "axes.labelcolor": "#333333",
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9.0,
    "xtick.color": "#6b7480",
    "xtick.labelcolor": "#333333",
    "ytick.color": "#6b7480",
    "ytick.labelcolor": "#333333",
}
QUIET = "#55606b"
RULE = "#9aa3ad"

_HEAD = 0.62  # inches for title and legend
_FOOT = 0.27  # inches for the footnote


def sheet(width: float, height: float, title: str, handles: Sequence[Artist], footnote: str) -> Figure:
    """A figure of `width` by `height` inches whose axes will leave title, legend and footnote free."""
    space = (0.0, _FOOT / height, 1.0, 1.0 - (_HEAD + _FOOT) / height)
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(rect=space))
    FigureCanvasAgg(figure)
    edge = 0.1 / width
    figure.text(edge, 1 - 0.1 / height, title, fontsize=12, fontweight="bold", va="top", parse_math=False)
    legend = figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(edge, 1 - 0.32 / height),
        borderaxespad=0,
        borderpad=0.2,
        ncols=len(handles),
        frameon=False,
        fontsize=8.5,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    figure.text(edge, 0.08 / height, footnote, fontsize=7.5, color=QUIET, va="bottom", parse_math=False)
    return figure


def fold_axis(axes: Axes, along: str, low: float, high: float) -> bool:
    """Set the x or y axis of `axes` for folds between `low` and `high`; returns whether it became a log axis.

    Below the smallest value an eighth of the axis stays free, for the ticks of the doses.
    """
    axis, limits = (axes.xaxis, axes.set_xlim) if along == "x" else (axes.yaxis, axes.set_ylim)
    if not needs_log(low, high):
        room = max(high - low, 0.1)
        limits(low - 0.12 * room, high + 0.05 * room)
        return False
    (axes.set_xscale if along == "x" else axes.set_yscale)("log")
    limits(low / (high / low) ** 0.12, high * (high / low) ** 0.05)
    axis.set_major_locator(FixedLocator(FOLD_TICKS))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
    return True
