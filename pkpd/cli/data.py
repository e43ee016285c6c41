"""`pkpd data`: look at a table before anything is computed from it."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(help="Check, mend and draw NONMEM-style tables.", no_args_is_help=True)

Table = Annotated[Path, typer.Argument(metavar="FILE", help="CSV or Parquet; FILE with .toml describes it")]
Description = Annotated[
    Path | None, typer.Option("--description", metavar="TOML", help="Outputs, units, covariates of FILE")
]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="RULE", help="Rows to leave out: '#' or 'ID == 3 and TIME < 0'"),
]
Simulate = Annotated[bool, typer.Option("--simulate", help="The table need not hold observations to fit")]


@app.command(epilog="Example: pkpd data check trial.csv --fix mended.csv")
def check(
    file: Table,
    description: Description = None,
    ignore: Ignore = None,
    simulate: Simulate = False,
    fix: Annotated[
        Path | None,
        typer.Option("--fix", metavar="OUT", help="Write a corrected copy and the list of changes"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Everything that is wrong with a table at once, what was inferred or dropped, and a summary of the rest.

    Exits with 0 if the table can be used, with 2 if it has errors.
    """
    from dataclasses import asdict
    from json import dumps

    from pkpd.dataset.mend import mended
    from pkpd.dataset.read import check_dataset
    from pkpd.dataset.report import report_json, report_text

    said = _said(description, ignore, simulate)
    changes = None
    if fix is not None:
        changes = mended(file, fix, said)
        file = fix
    outcome = check_dataset(file, said)
    if json:
        plain = report_json(outcome)
        if changes is not None:
            plain["changes"] = [asdict(change) for change in changes]
        typer.echo(dumps(plain, indent=2, ensure_ascii=False))
    else:
        if changes is not None:
            typer.echo("\n".join([f"{len(changes)} changes, {fix} was written", *map(str, changes), ""]))
        typer.echo(report_text(outcome))
    if outcome.dataset is None:
        raise typer.Exit(2)


@app.command(epilog="Example: pkpd data plot trial.csv --out pictures")
def plot(
    file: Table,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the pictures")] = Path("data_plots"),
    description: Description = None,
    ignore: Ignore = None,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Arms: a stratum or covariate")] = None,
    scale: Annotated[
        Literal["linear", "log"] | None, typer.Option("--scale", help="Otherwise as the values spread")
    ] = None,
    individual: Annotated[bool, typer.Option("--individual", help="Also one panel a subject, in pages")] = False,
) -> None:
    """Draw profiles by arm with doses, blocks of treatment and values below the limit, and write what is drawn.

    Writes profiles.png, after_dose.png and profiles.csv, and with --individual one picture a page of subjects.
    """
    import numpy as np

    from pkpd.dataset import pictures
    from pkpd.dataset.drawable import observed
    from pkpd.dataset.read import read_dataset_as
    from pkpd.errors import InputError
    from pkpd.storage import writable_folder, write_atomically

    dataset = read_dataset_as(file, _said(description, ignore, True))
    rows = observed(dataset, by)
    if rows.empty:
        raise InputError(f"{dataset.source}: there is no observation to draw")
    folder = writable_folder(out)
    figures = [("profiles", pictures.pooled(dataset, scale, by))]
    if not np.isnan(rows["after_dose_h"].to_numpy()).all():
        figures.append(("after_dose", pictures.pooled(dataset, scale, by, after_dose=True)))
    for name, figure in figures:
        write_atomically(folder / f"{name}.png", partial(pictures.save, figure))
    write_atomically(folder / "profiles.csv", lambda path: rows.to_csv(path, index=False))
    pages = 0
    if individual:
        for pages, figure in enumerate(pictures.individual(dataset, scale), start=1):
            write_atomically(folder / f"subjects-{pages}.png", partial(pictures.save, figure))
    typer.echo(f"{folder}: {', '.join(name for name, _ in figures)} and {pages} pages of subjects")


@app.command(epilog="Example: pkpd data example --out trial")
def example(
    which: Annotated[Literal["trial", "oral"], typer.Argument(help="A trial, or a table with a fit's run file.")] = (
        "trial"
    ),
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the two files")] = Path(),
) -> None:
    """Write an example table. All are SIMULATED, without real patients.

    trial: NCT02464319's schedule, with a description of the table. oral: 40 subjects after one oral dose, with a run
    file to fit them.
    """
    from pkpd.errors import InputError
    from pkpd.storage import shipped, writable_folder, write_atomically

    folder = writable_folder(out)
    names = {"trial": ("pss_simulated.csv", "pss_simulated.toml"), "oral": ("oral.csv", "oral_fit.toml")}[which]
    for name in names:
        if (folder / name).exists():
            raise InputError(f"'{folder / name}' is there already: nothing was written; give another folder with --out")
    for name in names:
        content = shipped(f"examples/{name}").read_bytes()
        write_atomically(folder / name, lambda path, content=content: path.write_bytes(content))
        typer.echo(f"{folder / name}")
    table, beside = folder / names[0], folder / names[1]
    hint = f"see what is in it: pkpd data check {table}" if which == "trial" else f"fit it: pkpd fit {beside} {table}"
    typer.echo(f"SIMULATED data; {hint}")


def _said(description: Path | None, ignore: list[str] | None, simulate: bool) -> dict[str, object]:
    """What the options say about the table, over what the description says."""
    from pkpd.dataset.declaration import read_sidecar

    said: dict[str, object] = read_sidecar(description) if description is not None else {}
    of_run = said.get("data")
    if isinstance(of_run, dict) and "model" in said:  # a fit's run file says it in its [data]
        said = of_run
    if ignore:
        said["ignore"] = ignore
    if simulate:
        said["purpose"] = "simulate"
    return said
