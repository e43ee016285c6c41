"""The `pkpd` command. Nothing heavy is imported before something is computed."""

import sys


def main() -> None:
    """Run the command; a mistake in the input is one line and exit code 2, anything else that fails exit code 1."""
    from pkpd.cli.app import run

    sys.exit(run(sys.argv[1:]))
