"""The menus above the interactive profiles: on-blocks to shade, weeks, bands or not, and the axis."""

import html
from typing import Any

import plotly.graph_objects as go

from pkpd.regimens.drawing import HOURS_PER_WEEK, PANELS, SHADE_COLOUR, THRESHOLD, shortened, week_step
from pkpd.regimens.results import Comparison, RegimenSummary

# The row of the calendar of doses, below the panels; its time axis is the one that the others follow.
CALENDAR = len(PANELS) + 1


def menus(comparison: Comparison, figure: go.Figure) -> list[dict[str, Any]]:
    """All menus of the profiles in `figure`, from left to right."""
    return [_shade_menu(comparison), _span_menu(comparison), _band_menu(figure), _scale_menu()]


def shapes(regimen: RegimenSummary) -> list[dict[str, Any]]:
    """Rectangles over the on-blocks, behind the three panels of curves."""
    return [
        {
            "type": "rect",
            "xref": "x",
            "yref": f"y{row if row > 1 else ''} domain",
            "x0": start / HOURS_PER_WEEK,
            "x1": end / HOURS_PER_WEEK,
            "y0": 0,
            "y1": 1,
            "fillcolor": SHADE_COLOUR,
            "line": {"width": 0},
            "layer": "below",
        }
        for row in range(1, CALENDAR)
        for start, end in regimen.on_blocks
    ] + [_threshold_line()]


def _threshold_line() -> dict[str, Any]:
    # A menu that sets shapes replaces them all, so the line travels with the shades.
    return {
        "type": "line",
        "xref": "x2 domain",
        "yref": "y2",
        "x0": 0,
        "x1": 1,
        "y0": THRESHOLD,
        "y1": THRESHOLD,
        "line": {"color": "#8a939d", "width": 1, "dash": "dot"},
    }


def _shade_menu(comparison: Comparison) -> dict[str, Any]:
    order = [comparison.reference, *(name for name in comparison.names if name != comparison.reference)]
    buttons = [
        {
            "label": f"on-blocks: {short_label(name, 26)}",
            "method": "relayout",
            "args": [{"shapes": shapes(comparison.regimen(name))}],
        }
        for name in order
    ]
    buttons.append({"label": "no shading", "method": "relayout", "args": [{"shapes": [_threshold_line()]}]})
    return _menu(buttons, x=0.0)


def _span_menu(comparison: Comparison) -> dict[str, Any]:
    end = float(comparison.profiles["time"].values[-1]) / HOURS_PER_WEEK
    spans = {
        "whole course": end,
        **{f"first {weeks:g} weeks": weeks for weeks in (2.0, 4.0, 12.0) if weeks < end},
    }
    buttons = [
        {
            "label": label,
            "method": "relayout",
            # The calendar's axis leads the other three and carries the labels.
            "args": [{f"xaxis{CALENDAR}.range": [0, stop], f"xaxis{CALENDAR}.dtick": week_step(stop)}],
        }
        for label, stop in spans.items()
    ]
    return _menu(buttons, x=0.38)


def _band_menu(figure: go.Figure) -> dict[str, Any]:
    bands = [i for i, trace in enumerate(figure.data) if getattr(trace, "fill", None) == "toself"]
    buttons = [
        {"label": label, "method": "restyle", "args": [{"opacity": opacity}, bands]}
        for label, opacity in (("with 90 % bands", 1.0), ("medians only", 0.0))
    ]
    return _menu(buttons, x=0.57)


def _scale_menu() -> dict[str, Any]:
    buttons = [
        {
            "label": f"cells on a {kind} axis",
            "method": "relayout",
            "args": [{"yaxis2.type": kind, "yaxis3.type": kind, "yaxis2.autorange": True, "yaxis3.autorange": True}],
        }
        for kind in ("linear", "log")
    ]
    return _menu(buttons, x=0.78)


def _menu(buttons: list[dict[str, Any]], x: float) -> dict[str, Any]:
    return {
        "buttons": buttons,
        "x": x,
        "xanchor": "left",
        "y": 1.0,
        "yanchor": "bottom",
        "pad": {"b": 6},
        "font": {"size": 12},
        "bgcolor": "white",
        "bordercolor": "#c9d0d8",
    }


def short_label(name: str, width: int) -> str:
    """A name cut to `width` characters; plotly reads its labels as HTML, so it is escaped."""
    return html.escape(shortened(name, width), quote=False)
