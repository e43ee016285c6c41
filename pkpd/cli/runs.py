"""`pkpd runs`: what fits have left behind."""

from pathlib import Path
from typing import Annotated

import typer

COMPARE_EXAMPLE = "Example: pkpd runs compare runs/*"
SHOW_EXAMPLE = "Example: pkpd runs show runs/run1"

app = typer.Typer(help="Finished fits: show one, compare several.", no_args_is_help=True)


@app.command("compare", epilog=COMPARE_EXAMPLE)
def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders made by pkpd fit.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Objective, criteria and audit of several runs, with the difference to the run each is based on.

    The run file's `parent` names that run; without one the first is compared with.
    """
    from pkpd.runs.compare import compared

    rows = compared(folders)
    if as_json:
        import json

        print(json.dumps({"runs": rows}, indent=1))
        return
    from pkpd.cli.parameters import print_runs

    print_runs(rows)


@app.command("show", epilog=SHOW_EXAMPLE)
def show(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A folder made by pkpd fit.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """The results of one run again, as pkpd fit printed them."""
    from pkpd.errors import InputError
    from pkpd.runs.folder import read_json

    manifest = read_json(folder, "manifest.json")
    if not (folder / "fit.json").exists():
        status = manifest.get("status")
        raise InputError(f"'{folder}' is a run without results, status {status}; --resume goes on with a killed one")
    result = read_json(folder, "fit.json")
    if as_json:
        import json

        print(json.dumps(result | {"status": manifest.get("status"), "folder": str(folder)}, indent=1))
        return
    from pkpd.cli.parameters import print_results

    print(f"{folder.name}: {manifest.get('status')}, {manifest.get('model')}, {manifest.get('data')}")
    print_results(result, folder)
    for reason in result["reasons"]:
        print(f"suspect: {reason}")
