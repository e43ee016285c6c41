"""The interactive figures of the report: profiles that the legend switches, and the metrics side by side."""

import html
import math
import textwrap

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pkpd.regimens.drawing import (
    DOUBT_COLOUR,
    FOLD_TICKS,
    HOURS_PER_WEEK,
    IL2,
    PANELS,
    PATIENTS_COLOUR,
    SHADE_COLOUR,
    TREG,
    Panel,
    axis_unit,
    colours,
    drawable,
    needs_log,
    thin,
    week_step,
)
from pkpd.regimens.menus import CALENDAR, menus, shapes, short_label
from pkpd.regimens.overview import OVERVIEW, fold_range
from pkpd.regimens.results import Comparison, RegimenSummary

# How far a thinned curve may lie from the simulated one, in decades of the axis: about one pixel.
TOLERANCE = {"il2": 0.02, "treg": 0.002, "nk": 0.002}

FONT = {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13, "color": "#222"}
GRID = "#e8ebef"


def profiles_figure(comparison: Comparison, shown: tuple[str, ...]) -> go.Figure:
    """IL-2, Treg and NK over time above a calendar of the doses; the legend switches a regimen in all three.

    At first only the regimens in `shown` are visible. A menu shades the  one regimen at a time.
    """
    figure = make_subplots(
        rows=CALENDAR,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.035,
        row_heights=[0.26, 0.29, 0.23, 0.22],
    )
    palette = colours(comparison.names, comparison.reference)
    for regimen in comparison.regimens:
        for row, panel in enumerate(PANELS, start=1):
            for trace in _curves(comparison, regimen, panel, palette[regimen.name]):
                trace.visible = True if regimen.name in shown else "legendonly"
                figure.add_trace(trace, row=row, col=1)
    for place, regimen in enumerate(comparison.regimens):
        for trace in _calendar(regimen, place, palette[regimen.name]):
            figure.add_trace(trace, row=CALENDAR, col=1)
    _axes(figure, comparison)
    figure.update_layout(
        height=1050,
        font=FONT,
        template="plotly_white",
        margin={"l": 70, "r": 10, "t": 46, "b": 50},
        hovermode="closest",
        legend={"title": {"text": "<b>Regimens</b><br>click: hide or show<br>double click: only this one"}},
        shapes=shapes(comparison.regimen(comparison.reference)),
        updatemenus=menus(comparison, figure),
    )
    return figure


def overview_figure(comparison: Comparison) -> go.Figure:
    """The deciding metrics as dots: where 90 % of patients lie and, apart, how uncertain the median is."""
    metrics = [metric for metric in OVERVIEW if comparison.has(metric)]
    titles = [comparison.estimate(comparison.reference, metric).label for metric in metrics]
    wrapped = [_wrapped(title, 24) for title in titles]
    figure = make_subplots(
        rows=1, cols=len(metrics), shared_yaxes=True, horizontal_spacing=0.02, subplot_titles=wrapped
    )
    places = np.arange(len(comparison.regimens))
    for column, metric in enumerate(metrics, start=1):
        estimates = [comparison.estimate(name, metric) for name in comparison.names]
        spread = np.array([(e.median, e.low, e.high) for e in estimates])
        doubt = np.array(
            [(e.median if np.isfinite(e.median_low) else np.nan, e.median_low, e.median_high) for e in estimates]
        )
        shown = [(spread, -0.15, PATIENTS_COLOUR, 2, "median patient, and where 90 % of patients lie")]
        if comparison.doubted:
            shown.append((doubt, 0.18, DOUBT_COLOUR, 6, "where that median itself lies (90 %)"))
        for numbers, offset, colour, width, name in shown:
            patients = numbers is spread
            figure.add_trace(
                go.Scatter(
                    x=numbers[:, 0],
                    y=places + offset,
                    mode="markers",
                    name=name,
                    legendgroup=name,
                    showlegend=column == 1,
                    marker={
                        "color": colour,
                        "size": 9,
                        "symbol": "circle" if patients else "line-ns-open",
                        "line": {"width": 0 if patients else 2},
                    },
                    error_x={
                        "type": "data",
                        "symmetric": False,
                        "array": numbers[:, 2] - numbers[:, 0],
                        "arrayminus": numbers[:, 0] - numbers[:, 1],
                        "color": colour if patients else "rgba(213, 94, 0, 0.4)",
                        "thickness": width,
                        "width": 0,
                    },
                    text=[e.patients if patients else e.doubt for e in estimates],
                    customdata=[e.quantity for e in estimates],
                    hovertemplate="%{customdata} [%{text}]<extra></extra>",
                ),
                row=1,
                col=column,
            )
        unit = axis_unit(estimates[0].unit)
        if estimates[0].unit == "fold" and needs_log(*fold_range(estimates)):
            figure.update_xaxes(type="log", tickvals=FOLD_TICKS, row=1, col=column)
            unit += ", log axis"
        figure.update_xaxes(title_text=unit, title_font_size=12, row=1, col=column)
    place = comparison.names.index(comparison.reference)
    figure.add_hrect(y0=place - 0.5, y1=place + 0.5, fillcolor=SHADE_COLOUR, line_width=0, layer="below")
    figure.update_xaxes(gridcolor=GRID, zeroline=False)
    figure.update_yaxes(showgrid=False, zeroline=False, range=[len(places) - 0.5, -0.5])
    ticks = [short_label(name, 30) for name in comparison.names]
    figure.update_yaxes(tickvals=places, ticktext=ticks, row=1, col=1)
    figure.update_annotations(font_size=13)
    figure.update_layout(
        height=52 * len(places) + 170,
        font=FONT,
        template="plotly_white",
        margin={"l": 210, "r": 10, "t": 60, "b": 90},
        legend={"orientation": "h", "y": -0.12, "yanchor": "top", "x": 0},
    )
    return figure


def _curves(comparison: Comparison, regimen: RegimenSummary, panel: Panel, colour: str) -> tuple[go.Scatter, ...]:
    """The 90 % band and the median of one regimen in one panel, at the times that matter on screen."""
    values = drawable(panel, comparison.profiles[panel.variable].sel(regimen=regimen.name).values)
    hours = comparison.profiles["time"].values
    kept = thin(hours, np.log10(values), TOLERANCE[panel.variable])
    weeks = (hours[kept] / HOURS_PER_WEEK).astype(np.float32)
    low, median, high = values[kept].T.astype(np.float32)
    common = {"legendgroup": regimen.name, "name": _wrapped(regimen.name, 34), "mode": "lines"}
    unit = " IU/mL" if panel is IL2 else "-fold"
    return (
        go.Scatter(
            x=np.concatenate([weeks, weeks[::-1]]),
            y=np.concatenate([low, high[::-1]]),
            fill="toself",
            fillcolor=_faint(colour),
            line_width=0,
            hoverinfo="skip",
            showlegend=False,
            **common,
        ),
        go.Scatter(
            x=weeks,
            y=median,
            line={"color": colour, "width": 2.4 if regimen.name == comparison.reference else 1.8},
            customdata=np.stack([low, high], axis=1),
            hovertemplate=(
                "<b>%{fullData.name}</b><br>week %{x:.1f}: median %{y:.3g}"
                + unit
                + "<br>90 % of patients %{customdata[0]:.3g} to %{customdata[1]:.3g}<extra></extra>"
            ),
            showlegend=panel is TREG,
            **common,
        ),
    )


def _calendar(regimen: RegimenSummary, place: int, colour: str) -> tuple[go.Scatter, ...]:
    """On-blocks as bars and doses as ticks, on the regimen's own line."""
    ends: list[float | None] = []
    for start, end in regimen.on_blocks:
        ends += [start / HOURS_PER_WEEK, end / HOURS_PER_WEEK, None]
    weeks = (regimen.dose_times_h / HOURS_PER_WEEK).astype(np.float32)
    return (
        go.Scatter(
            x=ends,
            y=[place if end is not None else None for end in ends],
            mode="lines",
            line={"color": _faint(colour), "width": 13},
            hoverinfo="skip",
            showlegend=False,
        ),
        go.Scatter(
            x=weeks,
            y=np.full(len(weeks), place),
            mode="markers",
            marker={"symbol": "line-ns-open", "size": 9, "color": colour, "line": {"width": 1}},
            name=html.escape(regimen.name, quote=False),
            hovertemplate="<b>%{fullData.name}</b><br>injection in week %{x:.2f}<extra></extra>",
            showlegend=False,
        ),
    )


def _axes(figure: go.Figure, comparison: Comparison) -> None:
    end = float(comparison.profiles["time"].values[-1]) / HOURS_PER_WEEK
    figure.update_xaxes(range=[0, end], dtick=week_step(end), gridcolor=GRID, zeroline=False)
    figure.update_xaxes(title_text="time (weeks)", row=CALENDAR, col=1)
    figure.update_yaxes(gridcolor=GRID, zeroline=False)
    highest = max(10.0, 1.5 * float(comparison.profiles["il2"].max()))
    figure.update_yaxes(
        type="log",
        range=[math.log10(IL2.floor), math.log10(highest)],
        dtick=1,
        row=1,
        col=1,
    )
    for row, panel in enumerate(PANELS, start=1):
        title = panel.axis + (", log axis" if panel is IL2 else "")
        figure.update_yaxes(title_text=title.replace(" (", "<br>("), row=row, col=1)
    count = len(comparison.regimens)
    figure.update_yaxes(
        tickvals=list(range(count)),
        ticktext=[short_label(name, 24) for name in comparison.names],
        tickfont_size=11,
        range=[count - 0.4, -0.6],
        showgrid=False,
        automargin=True,
        row=CALENDAR,
        col=1,
    )


def _wrapped(text: str, width: int) -> str:
    return "<br>".join(html.escape(line, quote=False) for line in textwrap.wrap(text, width))


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.2)"
