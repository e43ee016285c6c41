"""The terminal's view of a comparison. It imports pandas: import it only once there is something to show."""

from collections.abc import Callable

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pkpd.regimens.answer import answer
from pkpd.regimens.numerals import MISSING
from pkpd.regimens.results import Comparison, Estimate

# Metric and heading of each column, in the order in which they are shown.
COLUMNS = {
    "il2_cmax_per_dose": "IL-2\nCmax/dose\nIU/mL",
    "treg_peak": "Treg\npeak\nfold",
    "treg_block_end": "Treg at\nblock end\nfold",
    "treg_before_next": "Treg bef.\nnext block\nfold",
    "treg_mean_treatment": "Treg mean\non treat.\nfold",
    "treg_time_above_1.3": "time\n≥ 1.3\n%",
    "nk_peak": "NK\npeak\nfold",
    "selectivity": "selec-\ntivity\nratio",
}

# Which columns stay when the terminal is narrow, the most telling first.
PRIORITY = (
    "treg_peak",
    "treg_mean_treatment",
    "nk_peak",
    "treg_time_above_1.3",
    "treg_before_next",
    "selectivity",
    "treg_block_end",
    "il2_cmax_per_dose",
)

NAME_WIDTH = 20


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the table of the regimens, the uncertainty of their medians, and the answer in words."""
    patients = comparison.profiles.sizes["patient"]
    console.print(Text(f"{len(comparison.regimens)} regimens in the same {patients} virtual patients", "bold"))
    console.print("Median patient; below it, where 90 % of patients lie.", style="dim")
    console.print(comparison_table(comparison, console.width))
    doubt = doubt_table(comparison, console.width)
    if doubt is not None:
        console.print()
        console.print(Text("How sure are the medians?", "bold"))
        console.print(
            "Where each median itself lies (90 %), as typical values are uncertain; not how patients differ.",
            style="dim",
        )
        console.print(doubt)
    found = answer(comparison)
    console.print()
    console.print(Text(found.question, "bold"))
    for sentence in found.lead:
        console.print(Text(sentence))
    console.print()
    console.print(
        "Simulated; research use, not for treating patients. "
        f"{len(comparison.assumptions)} inputs are assumptions: see the report or assumptions.csv.",
        style="dim",
    )


def comparison_table(comparison: Comparison, width: int) -> Table:
    """One row a regimen: median above, 90 % of patients below; as many columns as `width` holds."""

    def cell(estimate: Estimate) -> Text:
        text = Text(estimate.value)
        if estimate.value != MISSING and not estimate.fixed:
            text.append(f"\n{estimate.patients}", "dim")
        return text

    def row_name(name: str) -> Text:
        return Text(name).append(f"\n{_dosing(comparison, name)}", "dim")

    return _table(comparison, width, row_name, cell)


def doubt_table(comparison: Comparison, width: int) -> Table | None:
    """One row a regimen: where the median itself lies; None if that was not computed."""
    if not comparison.doubted:
        return None
    return _table(comparison, width, Text, lambda estimate: Text(estimate.doubt))


def _table(
    comparison: Comparison, width: int, row_name: Callable[[str], Text], cell: Callable[[Estimate], Text]
) -> Table:
    cells = {
        metric: [cell(comparison.estimate(name, metric)) for name in comparison.names]
        for metric in COLUMNS
        if comparison.has(metric)
    }
    widths = {
        metric: max(cell_len(line) for text in (COLUMNS[metric], *column) for line in str(text).split("\n"))
        for metric, column in cells.items()
    }
    shown = _fitting(widths, width - NAME_WIDTH)
    spare = width - NAME_WIDTH - sum(widths[metric] + 1 for metric in shown)
    padding = 1 if spare >= len(shown) else 0
    table = Table(box=box.SIMPLE_HEAD, padding=(0, padding, 0, 0), show_edge=False, pad_edge=False)
    table.add_column("regimen", min_width=NAME_WIDTH, overflow="fold")
    for metric in shown:
        table.add_column(COLUMNS[metric], justify="right", no_wrap=True, min_width=widths[metric])
    for row, name in enumerate(comparison.names):
        label = row_name(name)
        if name == comparison.reference:
            label.stylize("bold", 0, len(name))
        table.add_row(label, *(cells[metric][row] for metric in shown))
    left_out = [COLUMNS[metric].replace("\n", " ") for metric in cells if metric not in shown]
    if left_out:
        table.caption = Text(f"A wider terminal also shows: {', '.join(left_out)}.", "dim")
        table.caption_justify = "left"
    return table


def _fitting(widths: dict[str, int], room: int) -> list[str]:
    """The metrics whose columns fit into `room` characters, the most telling first; in their usual order."""
    chosen = []
    for metric in PRIORITY:
        if metric in widths and widths[metric] + 1 <= room:
            chosen.append(metric)
            room -= widths[metric] + 1
    return [metric for metric in widths if metric in chosen]


def _dosing(comparison: Comparison, name: str) -> str:
    """Total dose and number of injections of the median patient, short."""
    if not (comparison.has("total_iu") and comparison.has("injections")):
        return comparison.regimen(name).total_dose
    total, injections = (comparison.estimate(name, metric) for metric in ("total_iu", "injections"))
    return f"{total.quantity}, {injections.value} inj."
