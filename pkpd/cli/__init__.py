"""The `pkpd` command. Nothing heavy is imported before something is computed."""

import os
import sys


def main() -> None:
    """Run the command; a mistake in the input is one line and exit code 2, anything else that fails exit code 1."""
    from pkpd.cli.app import INTERRUPTED, run

    code = run(sys.argv[1:])
    if code == INTERRUPTED:
        # A solve may still be running in JAX's threads; taking Python down under it would crash.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
