"""The verbs, and what becomes of a mistake: one clear line and a meaningful exit code."""

import sys
from collections.abc import Sequence
from io import TextIOWrapper

import typer
from typer.exceptions import TyperException

from pkpd.cli import compare, data, fit, models, qualify, regimens, runs
from pkpd.errors import InputError

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="pkpd",
    help="Pharmacometrics of low-dose interleukin-2 and regulatory T cells. Research use, not for treating patients.",
    epilog='Example: pkpd compare pss_nct02464319 "0.5 MIU sc qd 14d on / 14d off x 3" --out results/',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("compare", epilog=compare.EXAMPLE)(compare.compare)
app.command("fit", epilog=fit.EXAMPLE)(fit.fit)
app.add_typer(runs.app, name="runs")
app.add_typer(data.app, name="data")
app.add_typer(regimens.app, name="regimens")
app.add_typer(models.app, name="models")
app.add_typer(qualify.app, name="qualify")


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and stop.", is_eager=True),
) -> None:
    if version:
        from pkpd import __version__

        print(__version__)
        raise typer.Exit


def run(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a letter that the terminal does not know is no reason to fail
            stream.reconfigure(errors="replace")
    try:
        code = app(list(arguments), standalone_mode=False)
    except InputError as error:
        print(f"pkpd: {error}", file=sys.stderr)
        return BAD_INPUT
    except TyperException as error:
        print(f"pkpd: {error.format_message()} (see --help)", file=sys.stderr)
        return error.exit_code
    except (ArithmeticError, MemoryError, OSError) as error:
        print(f"pkpd: failed: {error or type(error).__name__}", file=sys.stderr)
        return FAILED
    if code == INTERRUPTED:  # Ctrl-C arrives here as a code
        print("pkpd: interrupted", file=sys.stderr)
    return code if isinstance(code, int) else OK
