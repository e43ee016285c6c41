"""`pkpd fit`: a population fit from a run file and a table."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

EXAMPLE = "Example: pkpd fit oral.toml data.csv --method focei --out runs/run1"
SUSPECT = 4


def fit(
    run_file: Annotated[Path, typer.Argument(metavar="RUN.toml", help="Model, parameters, residual error.")],
    table: Annotated[Path, typer.Argument(metavar="DATA", help="CSV or Parquet, as in NONMEM.")],
    method: Annotated[
        Literal["fo", "foce", "focei", "laplace", "agq"] | None, typer.Option(help="Instead of the file's.")
    ] = None,
    nodes: Annotated[int | None, typer.Option(min=1, help="Of agq, for each random effect.")] = None,
    out: Annotated[Path | None, typer.Option(help="New folder for the results; fit_dirN by default.")] = None,
    starts: Annotated[int | None, typer.Option(min=1, help="Initial estimates and random ones.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="Of the random starts.")] = None,
    covariance: Annotated[
        Literal["sandwich", "R", "S", "none"] | None, typer.Option(help="Covariance step.", case_sensitive=False)
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Folder of a run that was killed, to go on with.")] = None,
    allow_warnings: Annotated[bool, typer.Option(help="Exit with 0 although the fit is suspect.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
    quiet: Annotated[bool, typer.Option(help="Print nothing but errors (and JSON, if asked for).")] = False,
) -> None:
    """Fit a model to data: estimates, standard errors, shrinkage, and an audit of the fit.

    Exits with 4 where the fit is suspect: the results are written and the reasons printed.
    """
    from pkpd.runs.run import run

    overrides = {"method": method, "nodes": nodes, "starts": starts, "seed": seed, "covariance": covariance}
    with _status(quiet or as_json) as told:
        done = run(run_file, table, overrides=overrides, out=out, resume=resume, told=told)
    if as_json:
        import json

        print(json.dumps(done.result | {"status": done.status, "folder": str(done.folder)}, indent=1))
    elif not quiet:
        from pkpd.cli.parameters import print_results

        print_results(done.result, done.folder)
    for reason in done.result["reasons"]:
        print(f"pkpd: {done.status}: {reason}", file=sys.stderr)
    if done.status == "failed":
        raise typer.Exit(1)
    if done.status == "suspect" and not allow_warnings:
        raise typer.Exit(SUSPECT)


@contextmanager
def _status(off: bool) -> Iterator[Callable[[str], None]]:
    """A line on standard error that says where the fit is, for people at a terminal."""
    if off or not sys.stderr.isatty():
        yield lambda line: None
        return
    from rich.console import Console

    with Console(stderr=True).status("compiling") as status:
        yield lambda line: status.update(line)
