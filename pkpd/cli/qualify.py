"""`pkpd qualify`: checks a user reruns on an own machine."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pkpd.errors import InputError

if TYPE_CHECKING:
    from pkpd.qualify.dosing import Scenario
    from pkpd.qualify.literature import Observed

DOSING_EXAMPLE = "Example: pkpd qualify dosing --json > dosing.json"
ESTIMATION_EXAMPLE = "Example: pkpd qualify estimation --reference reference/ --json > estimation.json"
LITERATURE_EXAMPLE = "Example: pkpd qualify literature --json > literature.json"

app = typer.Typer(help="Checks of this installation against references.", no_args_is_help=True)


@app.command("dosing", epilog=DOSING_EXAMPLE)
def dosing(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> int:
    """Rerun 29 dosing scenarios: exactly, beside what NONMEM printed, and by both integrating methods, beside that.

    Ends with 1 if any scenario is not within the printed digits, or an integrated one not within 1e-6 of the peak.
    """
    from pkpd.qualify.dosing import AGREEMENT, qualify_dosing

    found = qualify_dosing()
    outside = sum(not one.within for one in found.scenarios)
    if as_json:
        import json
        from dataclasses import asdict

        print(json.dumps(asdict(found) | {"agreement": AGREEMENT}, indent=1))
        return int(outside > 0)
    from rich.console import Console
    from rich.table import Table

    paths = list(dict.fromkeys(one.path for one in found.scenarios))
    holds = {one.scenario: one.holds for one in found.scenarios}
    shown = {(one.scenario, one.path): one for one in found.scenarios}
    table = Table("scenario", "what it holds", *paths, title="largest relative difference")
    for scenario, text in holds.items():
        cells = (shown.get((scenario, path)) for path in paths)
        table.add_row(str(scenario), text, *(_cell(cell) for cell in cells))
    console = Console()
    console.print(table)
    for path in paths:
        mine = [one for one in found.scenarios if one.path == path]
        limit = "the five digits NONMEM printed" if path == "exact" else f"{AGREEMENT:g} of the peak of the exact path"
        console.print(f"{path}: {sum(one.within for one in mine)} of {len(mine)} scenarios within {limit}.")
    for left in found.not_shared:
        console.print(f"{left.path}: not scenario {left.scenario}: {left.reason}.")
    return int(outside > 0)


def _cell(one: "Scenario | None") -> str:
    if one is None:
        return "-"
    return f"{one.max_rel_difference:.1e}" + ("" if one.within else " [bold]no[/bold]")


@app.command("estimation", epilog=ESTIMATION_EXAMPLE)
def estimation(
    reference: Annotated[Path | None, typer.Option(help="Folder of data sets that cannot be shipped.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> int:
    """Refit data sets whose objective is known, by NONMEM or by independent computation. Takes some minutes.

    Cases whose data cannot be shipped need --reference, and are listed as skipped without it. Ends with 1 only if a
    case that ran is out of bounds.
    """
    if reference is not None and not reference.is_dir():
        raise InputError(f"--reference {reference}: there is no such folder")
    from rich.console import Console

    from pkpd.qualify.estimation import qualify_estimation

    show = not quiet and sys.stderr.isatty()
    with Console(stderr=True).status("starting") if show else nullcontext() as status:
        cases = qualify_estimation(reference, status.update if status is not None else lambda case: None)
    outside = sum(case.within is False for case in cases)
    if as_json:
        import json
        from dataclasses import asdict

        print(json.dumps({"cases": [asdict(case) for case in cases]}, indent=1))
        return int(outside > 0)
    from rich.table import Table

    table = Table("case", "method", "OFV", "reference", "difference", "within", "other checks", "s")
    for case in cases:
        if case.skipped is not None:
            table.add_row(case.case, case.method, "", "", "", "skipped", "", "")
            continue
        table.add_row(
            case.case,
            case.method,
            f"{case.ofv:.3f}",
            "" if case.reference is None else f"{case.reference:.3f}",
            "" if case.difference is None else f"{case.difference:+.1e}",
            "yes" if case.within else "[bold]no[/bold]",
            ", ".join(f"{name} {value:.2g}" for name, value in case.checks.items()),
            f"{case.seconds:.1f}",
        )
    console = Console()
    console.print(table)
    for why in dict.fromkeys(case.skipped for case in cases if case.skipped):
        console.print(f"skipped: {why}")
    ran = [case for case in cases if case.within is not None]
    console.print(f"{len(ran) - outside} of {len(ran)} cases in bounds, {len(cases) - len(ran)} skipped.")
    console.print("OFV: -2 log L without n log(2 pi). Other checks: largest relative deviation from published numbers.")
    return int(outside > 0)


@app.command("literature", epilog=LITERATURE_EXAMPLE)
def literature(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> int:
    """Put the models at their typical values beside published facts, hits and misses alike."""
    from pkpd.qualify.literature import qualify_literature

    facts = qualify_literature()
    if as_json:
        import json
        from dataclasses import asdict

        print(json.dumps({"facts": [asdict(fact) for fact in facts]}, indent=1))
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(show_lines=True)
    for header, width in (("fact, source, model", None), ("observed", 19), ("model", 9), ("in", 3), ("used", 4)):
        table.add_column(header, width=width, overflow="fold")
    table.add_column("status", no_wrap=True)
    for fact in facts:
        table.add_row(
            f"{fact.fact}\n[dim]{fact.source}; {fact.described_by}[/dim]",
            f"{_interval(fact.observed)}\n[dim]{fact.observed.kind}[/dim]",
            f"{fact.model:.3g}",
            "yes" if fact.inside else "[bold]no[/bold]",
            "yes" if fact.used_for_calibration else "no",
            fact.status,
        )
    console = Console()
    console.print(table)
    for used, words in ((True, "by which a number of the models was chosen"), (False, "that no number was chosen by")):
        mine = [fact for fact in facts if fact.used_for_calibration is used]
        console.print(f"{sum(fact.inside for fact in mine)} of {len(mine)} facts {words} lie inside.")
    console.print("used: for calibration. Typical subject, 70 kg and 1.8 m2. A miss is shown and not tuned away.")
    return 0


def _interval(observed: "Observed") -> str:
    if observed.low is None:
        return f"<= {observed.high:g} {observed.unit}"
    low = f"{observed.low:g}"
    return f">= {low} {observed.unit}" if observed.high is None else f"{low} to {observed.high:g} {observed.unit}"
