"""`pkpd models`: the model library with the numbers behind it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pkpd.literature import Prior
    from pkpd.models.model import Model

LIST_EXAMPLE = "Example: pkpd models list"
SHOW_EXAMPLE = "Example: pkpd models show il2_treg_nk"

app = typer.Typer(help="The model library.", no_args_is_help=True)


@app.command("list", epilog=LIST_EXAMPLE)
def list_models(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List the models of the library."""
    from pkpd.models.library import MODELS

    found = [{"name": name, "title": build().title, "outputs": build().outputs} for name, build in MODELS.items()]
    if as_json:
        import json

        print(json.dumps(found, indent=1))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "what it describes", "outputs", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for row in found:
        table.add_row(row["name"], row["title"], _with_units(row["outputs"]))
    Console(markup=False).print(table)  # a unit in brackets is none of rich's marks


@app.command("show", epilog=SHOW_EXAMPLE)
def show(
    name: Annotated[str, typer.Argument(help="A name from `pkpd models list`, several joined by >>, or file.py:name.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show a model: diagram, equations, parameters with source, status and grade, references."""
    from pkpd.literature import joined
    from pkpd.models.diagram import lines
    from pkpd.runs.model_source import find_model

    found = find_model(name, Path())
    known = joined(found.literature)
    if as_json:
        import json
        from dataclasses import asdict

        parameters = [
            {"symbol": p.symbol, "meaning": p.meaning, "unit": p.unit}
            | (asdict(known[p.symbol]) if p.symbol in known else {"typical": None})
            for p in found.parameters
        ]
        body = {"name": found.name, "title": found.title, "equations": found.equations, "diagram": lines(found)}
        body["outputs"] = found.outputs
        print(json.dumps(body | {"parameters": parameters, "references": found.references}, indent=1))
        return
    from rich.console import Console
    from rich.padding import Padding

    console = Console()

    def paragraph(text: str) -> None:
        console.print(Padding(text, (0, 0, 0, 2)), markup=False, highlight=False)

    console.print(f"[bold]{name}[/bold]: {found.title}\n")
    for line in (*lines(found), "", *found.equations, "", f"outputs: {_with_units(found.outputs)}", ""):
        paragraph(line)
    console.print(_numbers(found, known))
    console.print()
    for parameter in found.parameters:
        prior = known.get(parameter.symbol)
        source = "no literature value" if prior is None else prior.source
        paragraph(f"{parameter.symbol}: {parameter.meaning}. {source}")
    if found.references:
        console.print("\nReferences")
    for reference in found.references:
        paragraph(reference)


def _with_units(outputs: "Mapping[str, str]") -> str:
    return ", ".join(f"{name} [{unit}]" if unit else name for name, unit in outputs.items())


def _numbers(model: "Model", known: "dict[str, Prior]") -> object:
    """One row a parameter, narrow enough for 80 columns; where the numbers come from stands below."""
    from rich import box
    from rich.table import Table

    from pkpd.literature import is_assumption

    headings = ("symbol", "typical", "unit", "BSV CV", "known to CV", "status", "grade")
    table = Table(*headings, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for parameter in model.parameters:
        prior = known.get(parameter.symbol)
        if prior is None:
            table.add_row(parameter.symbol, "–", parameter.unit, *"––––")
            continue
        grade = f"{prior.grade}, assumption" if is_assumption(prior.status, prior.grade) else prior.grade
        bsv = "–" if prior.bsv_cv is None else f"{100 * prior.bsv_cv:.0f} %"
        spread = (bsv, f"{100 * prior.uncertainty_cv:.0f} %")
        table.add_row(parameter.symbol, f"{prior.typical:g}", parameter.unit, *spread, prior.status, grade)
    return table
