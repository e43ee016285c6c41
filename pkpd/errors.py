"""What pkpd raises when the mistake is in the input and the user can mend it."""


class InputError(ValueError):
    """A mistake in what the user gave: names what is wrong, the rule, and the fix.

    The command line prints it as it stands and exits with code 2; from Python it is a `ValueError`.
    """
