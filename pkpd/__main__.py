"""`python -m pkpd` is the command `pkpd`."""

from pkpd.cli import main

main()
