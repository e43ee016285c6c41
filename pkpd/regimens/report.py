"""The report of a comparison: one HTML file that opens offline, with figures, tables and their origin."""

import re
from importlib.resources import files
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from pkpd.regimens.answer import SAME_POINTS, SAME_RATIO, answer, change
from pkpd.regimens.drawing import HOURS_PER_WEEK, IL2_FLOOR, THRESHOLD
from pkpd.regimens.interactive import overview_figure, profiles_figure
from pkpd.regimens.numerals import MISSING, number
from pkpd.regimens.results import Comparison

# Values of a single block, such as `treg_block_end_2`: shown, but not among the columns of the tables.
SINGLE_BLOCK = re.compile(r"_\d+$")

STATUS = {
    "verified": "read in the source itself",
    "secondary": "read in a source that cites the original",
    "derived": "calculated from verified numbers",
    "memory": "remembered, not checked against a source: an assumption",
    "unknown": "not found: an assumption",
}
GRADES = {
    "A": "reported directly in humans",
    "B": "derived from human numbers, or from animals with a human anchor",
    "C": "plausible, weakly supported: an assumption",
    "D": "placeholder: an assumption",
}


def report(comparison: Comparison) -> str:
    """The whole report as HTML. Nothing in it is fetched: scripts, styles and data are inside the file."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("pkpd.regimens").joinpath("report.html.j2").read_text("utf-8"))
    found = answer(comparison)
    return template.render(
        comparison=comparison,
        answer=found,
        change=lambda name, metric: change(comparison, name, metric),
        sections=_sections(comparison),
        blocks=_blocks(comparison),
        heading=_heading,
        assumptions=_assumptions(comparison),
        statuses=STATUS,
        grades=GRADES,
        population=_population(comparison),
        weeks=float(comparison.profiles["time"].values[-1]) / HOURS_PER_WEEK,
        provenance=_provenance(comparison),
        missing=MISSING,
        floor=IL2_FLOOR,
        threshold=THRESHOLD,
        same_ratio=SAME_RATIO,
        same_points=SAME_POINTS,
        plotly=Markup(get_plotlyjs()),  # noqa: S704  (plotly's own script, no text of the user)
        profiles=_div(profiles_figure(comparison, found.regimens[:4]), "profiles"),
        overview=_div(overview_figure(comparison), "overview"),
    )


def _div(figure: go.Figure, name: str) -> Markup:
    """The figure as a div and a script; plotly writes `<`, `>` and `/` inside the data as JSON escapes.

    Plotly's button that uploads a chart is taken away: a report may hold what must not leave the house.
    """
    config = {
        "responsive": True,
        "displaylogo": False,
        "showSendToCloud": False,
        "modeBarButtonsToRemove": ["sendChartToCloud", "lasso2d", "select2d"],
        "toImageButtonOptions": {"format": "png", "scale": 2, "filename": f"pkpd_{name}"},
    }
    return Markup(  # noqa: S704
        figure.to_html(config=config, include_plotlyjs=False, full_html=False, div_id=name)
    )


def _sections(comparison: Comparison) -> dict[str, list[str]]:
    """The metrics of the main tables by group, both in the order of the table."""
    rows = comparison.table.drop_duplicates("metric")
    rows = rows[~rows["metric"].str.contains(SINGLE_BLOCK)]
    return {str(group): list(part["metric"]) for group, part in rows.groupby("group", sort=False)}


def _blocks(comparison: Comparison) -> list[tuple[str, str]]:
    """Regimen and metric of every value that belongs to a single on-block and exists."""
    return [
        (name, metric)
        for name, metric, median in comparison.table[["regimen", "metric", "median"]].to_numpy()
        if SINGLE_BLOCK.search(metric) and np.isfinite(median)
    ]


def _heading(label: str, unit: str) -> str:
    """A column's heading with its unit; percentages carry theirs in the cell."""
    return label if unit in ("1", "", "%") else f"{label} [{unit}]"


def _assumptions(comparison: Comparison) -> list[dict[str, str]]:
    """The assumptions as text: numbers shortened, nothing where nothing is known."""

    def text(cell: object) -> str:
        if isinstance(cell, float):
            return number(cell) if np.isfinite(cell) else MISSING
        return str(cell) if cell not in (None, "") else ""

    records = comparison.assumptions.to_dict(orient="records")
    return [{str(key): text(cell) for key, cell in row.items()} for row in records]


def _population(comparison: Comparison) -> list[tuple[str, str]]:
    """Who the virtual patients are: sexes, and median with 5th and 95th percentile of age and size."""
    profiles = comparison.profiles
    sexes, counts = np.unique(profiles["sex"].values.astype(str), return_counts=True)
    facts = [("sex", ", ".join(f"{count} {sex}" for sex, count in zip(sexes, counts, strict=True)))]
    for name, words in (("age", "age"), ("weight", "weight"), ("height", "height"), ("bsa", "body surface")):
        low, median, high = (number(value) for value in np.quantile(profiles[name].values, (0.05, 0.5, 0.95)))
        unit = {"m2": "m²", "y": "years"}.get(unit := profiles[name].attrs["units"], unit)
        facts.append((words, f"median {median} {unit}, 90 % between {low} and {high} {unit}"))
    return facts


def _provenance(comparison: Comparison) -> list[tuple[str, str]]:
    """Everything needed to make the report again, the command apart."""
    facts: dict[str, Any] = {**comparison.profiles.attrs, **comparison.provenance}
    facts.pop("command")
    lines = []
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {item}" for key, item in value.items())
        lines.append((str(name), str(value)))
    return lines
