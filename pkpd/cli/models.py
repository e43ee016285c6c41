"""`pkpd models`: the model library with the numbers behind it."""

from typing import Annotated

import typer

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
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "what it describes", "outputs")
    for row in found:
        table.add_row(row["name"], row["title"], ", ".join(f"{o} [{unit}]" for o, unit in row["outputs"].items()))
    Console().print(table)


@app.command("show", epilog=SHOW_EXAMPLE)
def show(
    name: Annotated[str, typer.Argument(help="A name from `pkpd models list`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show a model: equations, parameters with source, status and grade, references."""
    from pkpd.literature import is_assumption, priors
    from pkpd.models.library import model

    found = model(name)
    known = {symbol: prior for file in found.literature for symbol, prior in priors(file).items()}
    equations = (
        *(found.linear.equations if found.linear else ()),
        *(e for r in found.responses for e in r.equations),
    )
    readouts = [readout.equation for readout in found.linear.readouts] if found.linear else []
    readouts += [one.equation for one in found.derived]
    if as_json:
        import json
        from dataclasses import asdict

        parameters = [
            {"symbol": p.symbol, "meaning": p.meaning, "unit": p.unit}
            | (asdict(known[p.symbol]) if p.symbol in known else {"typical": None})
            for p in found.parameters
        ]
        body = {"name": found.name, "title": found.title, "equations": [*equations, *readouts]}
        print(json.dumps(body | {"parameters": parameters, "references": found.references}, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(f"[bold]{name}[/bold]: {found.title}\n")
    for equation in (*equations, *readouts):
        console.print(f"  {equation}", markup=False, highlight=False)
    table = Table("symbol", "meaning", "typical", "unit", "BSV CV", "known to CV", "status", "grade", "source")
    for parameter in found.parameters:
        prior = known.get(parameter.symbol)
        if prior is None:
            table.add_row(parameter.symbol, parameter.meaning, "–", parameter.unit, *"–––", "", "no literature value")
            continue
        grade = f"{prior.grade} (assumption)" if is_assumption(prior.status, prior.grade) else prior.grade
        bsv = "–" if prior.bsv_cv is None else f"{100 * prior.bsv_cv:.0f} %"
        table.add_row(
            parameter.symbol,
            parameter.meaning,
            f"{prior.typical:g}",
            parameter.unit,
            bsv,
            f"{100 * prior.uncertainty_cv:.0f} %",
            prior.status,
            grade,
            prior.source,
        )
    console.print(table)
    for reference in found.references:
        console.print(f"  {reference}", markup=False, highlight=False)
