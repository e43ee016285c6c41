"""`pkpd compare`: dosing regimens side by side in one virtual population."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pkpd.regimens.results import Comparison

EXAMPLE = (
    'Example: pkpd compare pss_nct02464319 "1 MIU sc q3d x 8 wk" my.toml --patients 1000 --weeks 24 --out results/'
)


def compare(
    regimens: Annotated[
        list[str],
        typer.Argument(help='Library names, texts such as "1 MIU sc qod x 12 wk", or TOML files; mixed freely.'),
    ],
    patients: Annotated[int, typer.Option(help="Virtual patients under each regimen.")] = 1000,
    weeks: Annotated[float, typer.Option(help="Weeks simulated, treatment and follow-up.")] = 24.0,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The same seed gives the same patients.")] = 1,
    draws: Annotated[
        int,
        typer.Option(help="Draws of the typical values, for the uncertainty of medians; 0 leaves it out."),
    ] = 100,
    reference: Annotated[
        str | None,
        typer.Option(help="Regimen to hold the others against; NCT02464319 or the first by default."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tables, profiles, figures and the report.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option(help="Print nothing but errors (and JSON, if asked for).")] = False,
) -> None:
    """Simulate a virtual population under several regimens: which expands Tregs, how steadily, at what cost."""
    from pkpd.regimens.resolve import resolve
    from pkpd.storage import writable_folder

    # Everything that can be wrong is found before anything is computed.
    chosen = [resolve(regimen) for regimen in regimens]
    for regimen in chosen:
        regimen.comparable()
    if out is not None:
        writable_folder(out)

    from pkpd.cli.progress import progress_bar
    from pkpd.regimens.compare import compare as simulate_and_compare

    with progress_bar("simulating patients", quiet or as_json) as advance:
        result = simulate_and_compare(
            chosen,
            patients=patients,
            weeks=weeks,
            seed=seed,
            draws=draws,
            reference=reference,
            progress=advance,
        )
    written = result.write(out) if out is not None else []
    if as_json:
        import json

        print(json.dumps(result.to_json() | {"files": [str(path) for path in written]}, indent=1))
    elif not quiet:
        _show(result, written)


def _show(result: "Comparison", written: list[Path]) -> None:
    from rich.console import Console

    from pkpd.cli.tables import print_comparison

    console = Console()
    print_comparison(result, console)
    if written:
        console.print(f"report: {written[-1]}", soft_wrap=True, highlight=False)
