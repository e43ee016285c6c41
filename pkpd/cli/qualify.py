"""`pkpd qualify`: checks a user reruns on an own machine."""

from typing import Annotated

import typer

DOSING_EXAMPLE = "Example: pkpd qualify dosing --json > dosing.json"

app = typer.Typer(help="Checks of this installation against references.", no_args_is_help=True)


@app.command("dosing", epilog=DOSING_EXAMPLE)
def dosing(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> int:
    """Rerun 29 dosing scenarios and compare them with what NONMEM printed.

    Ends with 1 if any scenario is not within the printed digits.
    """
    from pkpd.qualify.dosing import scenarios

    found = scenarios()
    outside = sum(not one.within for one in found)
    if as_json:
        import json
        from dataclasses import asdict

        print(json.dumps({"scenarios": [asdict(one) for one in found]}, indent=1))
        return int(outside > 0)
    from rich.console import Console
    from rich.table import Table

    table = Table("scenario", "what it holds", "oracle", "max rel. difference", "within printed digits")
    for one in found:
        table.add_row(
            str(one.scenario),
            one.holds,
            one.oracle,
            f"{one.max_rel_difference:.1e}",
            "yes" if one.within else "[bold]no[/bold]",
        )
    console = Console()
    console.print(table)
    console.print(f"{len(found) - outside} of {len(found)} scenarios within the digits NONMEM printed (five).")
    return int(outside > 0)
