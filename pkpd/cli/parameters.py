"""The terminal's view of fits: what was estimated, how well, what to be wary of; and several runs beside each other."""

from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table


def print_results(result: dict[str, Any], folder: Path) -> None:
    """Print the parameter table, the criteria and the warnings."""
    console = Console(markup=False)
    console.print(_table(result["parameters"], console))
    console.print(
        "omega and residual error as SD, their RSE that of the variance (2 SE/SD); CV % = sqrt(exp(omega^2) - 1); "
        "intervals are symmetric where it is estimated: log, logit, Fisher z for correlations",
        style="dim",
    )
    for line in result["data"]:
        console.print(line, highlight=False, markup=False)
    if result["ofv"] is None:
        console.print("no objective: what stands under estimate are initial values", highlight=False)
        console.print(f"results: {folder}", soft_wrap=True, highlight=False)
        return
    console.print(f"objective {_number(result['ofv'], '.3f')} ({result['convention']})", highlight=False)
    console.print(
        f"{result['method']}, AIC {_number(result['aic'], '.1f')}, BIC {_number(result['bic'], '.1f')} (with "
        f"n log(2 pi); n = {result['observations']} measured observations), "
        + ("" if result["covariance"] is None else f"standard errors by {_COVARIANCES[result['covariance']]}, ")
        + ("" if result["condition"] is None else f"condition number {result['condition']:.4g}, ")
        + f"{result['agreeing']} of {len(result['starts'])} starts agree",
        highlight=False,
    )
    if result["minus_2ll"] is not None:
        console.print(
            f"-2 log L by importance sampling {result['minus_2ll']:.2f} +- {result['minus_2ll_error']:.2f}, "
            f"shrinkage of residuals {_shrinkage(result['epsilon_shrinkage'])}",
            highlight=False,
        )
    seconds = ", ".join(f"{part} {value:.1f} s" for part, value in result["seconds"].items())
    if "compiling" in result:  # runs of earlier versions do not say
        seconds += (
            f", of these compiling {result['compiling']:.1f} s; {result['evaluations']} evaluations of the objective "
            "and its gradient"
        )
    console.print(seconds, style="dim", highlight=False)
    for message in (*(one["message"] for one in result["lights"]), *result["assumptions"]):
        console.print(f"warning: {message}", style="yellow", highlight=False)
    console.print(f"results: {folder}", soft_wrap=True, highlight=False)


def _table(rows: list[dict[str, Any]], console: Console) -> Table:
    """One row a parameter. A number is never cut: in a narrow terminal columns are left out, which is said, and what is
    no terminal is as wide as the table."""
    digits = ".4g" if console.width >= 90 or not console.is_terminal else ".3g"
    columns = {heading: [cell(row, digits) for row in rows] for heading, cell in _COLUMNS.items()}
    widths = {heading: max(map(cell_len, (heading, *cells))) for heading, cells in columns.items()}
    named = min(20, max(len(name) for name in ("parameter", *(row["name"] for row in rows))))
    room = console.width if console.is_terminal else inf
    gone: list[str] = []
    for heading in _LEAST_TELLING:
        if named + sum(width + 2 for one, width in widths.items() if one not in gone) > room:  # a blank, and a line
            gone.append(heading)
    shown = [heading for heading in columns if heading not in gone]
    natural = named + sum(widths[heading] + 2 for heading in shown)
    if not console.is_terminal:
        console.width = max(console.width, natural)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("parameter", overflow="fold", min_width=named)
    for heading in shown:
        table.add_column(heading, justify="left" if heading == "unit" else "right", no_wrap=True)
    for i, row in enumerate(rows):
        table.add_row(row["name"], *(columns[heading][i] for heading in shown))
    if gone:
        table.caption = f"A wider terminal, and parameters.csv, also show: {', '.join(gone)}."
        table.caption_justify = "left"
    return table


def print_runs(rows: list[dict[str, Any]]) -> None:
    """Print one row a run: objective, difference to its parent or to the first, criteria, condition, starts."""
    console = Console(markup=False)
    wide = console.width >= 100
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("run", overflow="fold")
    headings = ("status", "method", "OFV", "dOFV", "par.", *(("AIC",) if wide else ()), "BIC", "cond.", "starts")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("status", "method") else "right", no_wrap=True)
    if wide:
        table.add_column("based on", overflow="fold")
    for row in rows:
        criteria = [_number(row[name], ".1f") for name in (("aic", "bic") if wide else ("bic",))]
        cells = [row["run"], row["status"], row["method"], _number(row["ofv"], ".2f"), _number(row["delta_ofv"], ".2f")]
        cells += [
            str(row["estimated"]),
            *criteria,
            _number(row["condition"], ".3g"),
            f"{row['agreeing']}/{row['starts']}",
        ]
        table.add_row(*cells, *((row["based_on"],) if wide else ()))
    console.print(table)
    for note in dict.fromkeys(row["note"] for row in rows if row["note"]):
        console.print(f"warning: {note}", style="yellow", highlight=False)


def _interval(row: dict[str, Any], digits: str) -> str:
    ends = [row["ci_low"], row["ci_high"]]
    return "" if ends == [None, None] else " to ".join(_number(one, digits) or "?" for one in ends)


def _shrinkage(parts: dict[str, float | None]) -> str:
    return ", ".join(f"{name} {100 * value:.1f} %" for name, value in parts.items() if value is not None) or "none"


def _number(value: float | None, form: str = ".4g") -> str:
    return "" if value is None else format(value, form)


_COVARIANCES = {"sandwich": "the sandwich R^-1 S R^-1", "r": "R^-1", "s": "S^-1"}

_COLUMNS: dict[str, Callable[[dict[str, Any], str], str]] = {
    "estimate": lambda row, digits: _number(row["estimate"]),
    "unit": lambda row, digits: row["unit"],
    "SE": lambda row, digits: "fixed" if row["fixed"] else _number(row["se"], digits),
    "RSE %": lambda row, digits: _number(row["rse_pct"], ".1f"),
    "95 % CI": _interval,
    "CV %": lambda row, digits: _number(row["cv_pct"], ".1f"),
    "shr. %": lambda row, digits: _number(row["shrinkage_pct"], ".1f"),
}
"""What stands under each heading."""

_LEAST_TELLING = ("CV %", "unit", "SE", "shr. %", "RSE %")
"""Columns in the order in which a narrow terminal goes without."""
