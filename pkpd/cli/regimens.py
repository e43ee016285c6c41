"""`pkpd regimens`: the library of published regimens."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pkpd.regimens.regimen import Regimen

LIST_EXAMPLE = "Example: pkpd regimens list"
SHOW_EXAMPLE = 'Example: pkpd regimens show pss_nct02464319, or pkpd regimens show "1 MIU sc qod x 12 wk"'

app = typer.Typer(help="The library of published low-dose IL-2 regimens.", no_args_is_help=True)


@app.command("list", epilog=LIST_EXAMPLE)
def list_regimens(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List the published regimens: dose, population, source and how sure we are of them."""
    from pkpd.regimens.library import library

    found = library()
    if as_json:
        import json

        print(json.dumps([_summary(regimen) for regimen in found.values()], indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column("name", no_wrap=True)
    for heading in ("regimen", "population", "status"):
        table.add_column(heading)
    for regimen in found.values():
        status = regimen.status + (" (cannot be compared)" if regimen.obstacle else "")
        table.add_row(regimen.name, regimen.sentence(), regimen.population, status)
    Console().print(table)


@app.command("show", epilog=SHOW_EXAMPLE)
def show(
    regimen: Annotated[str, typer.Argument(help="A library name, a text, or a TOML file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show one regimen as its canonical sentence and its dose table."""
    from pkpd.regimens.resolve import resolve

    found = resolve(regimen)
    if as_json:
        import json

        frame = found.dose_table().astype(object)
        doses = frame.where(frame.notna(), None).to_dict(orient="records")
        print(json.dumps(_summary(found) | {"doses": doses}, indent=1))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console.print(Text(found.name, "bold").append(f": {found.title}" if found.title else "", "not bold"))
    console.print(found.sentence(), markup=False, highlight=False)
    for label, text in _summary(found).items():
        if text and label not in ("name", "sentence", "title"):
            console.print(f"{label.replace('_', ' ')}: {text}", markup=False, highlight=False)
    frame = found.dose_table()
    if frame.empty:
        return
    table = Table(*(str(column) for column in frame.columns))
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{value:g}" if isinstance(value, float) else str(value) for value in row))
    console.print(table)


def _summary(regimen: "Regimen") -> dict[str, str]:
    return {
        "name": regimen.name,
        "sentence": regimen.sentence(),
        "title": regimen.title,
        "population": regimen.population,
        "agent": regimen.agent,
        "source": regimen.source,
        "dose_status": regimen.dose_status,
        "schedule_status": regimen.schedule_status,
        "note": regimen.note,
        "cannot_be_compared": regimen.obstacle,
    }
