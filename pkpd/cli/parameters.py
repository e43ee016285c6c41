"""The terminal's view of fits: what was estimated, how well, what to be wary of; and several runs beside each other."""

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


def print_results(result: dict[str, Any], folder: Path) -> None:
    """Print the parameter table, the criteria and the warnings."""
    console = Console()
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(
        "parameter", overflow="fold", min_width=min(20, max(len(row["name"]) for row in result["parameters"]))
    )
    for heading in ("estimate", "unit", "SE", "RSE %", "95 % CI", "CV %", "shr. %"):
        table.add_column(heading, justify="left" if heading == "unit" else "right", no_wrap=heading == "95 % CI")
    digits = ".4g" if console.width >= 90 else ".3g"
    for row in result["parameters"]:
        ends = [row["ci_low"], row["ci_high"]]
        interval = "" if ends == [None, None] else " to ".join(_number(one, digits) or "?" for one in ends)
        se = "fixed" if row["fixed"] else _number(row["se"], digits)
        shown = (_number(row["estimate"]), row["unit"], se, _number(row["rse_pct"], ".1f"), interval)
        table.add_row(row["name"], *shown, _number(row["cv_pct"], ".1f"), _number(row["shrinkage_pct"], ".1f"))
    console.print(table)
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


def print_runs(rows: list[dict[str, Any]]) -> None:
    """Print one row a run: objective, difference to its parent or to the first, criteria, condition, starts."""
    console = Console()
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


def _shrinkage(parts: dict[str, float | None]) -> str:
    return ", ".join(f"{name} {100 * value:.1f} %" for name, value in parts.items() if value is not None) or "none"


def _number(value: float | None, form: str = ".4g") -> str:
    return "" if value is None else format(value, form)
