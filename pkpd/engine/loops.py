"""How the compiler treats loops on a CPU: each as one function, not as a list of kernels started one after the other.

A step of a chunk of subjects is some fifty kernels of a few hundred numbers each; starting one takes as long as running
it. Compiled into one function they take half the time, and compiling is quicker, too.
"""

import os

_OPTION = "--xla_backend_extra_options"
_BYTES = 100_000_000
"""A loop is compiled so if what it works on is smaller than this; the tables and rows of a chunk are."""


def compile_loops_as_functions() -> None:
    """Tell XLA, unless the user has told it something of that kind; without effect once JAX is running.

    Of options passed this way XLA passes over those it does not know.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _OPTION in flags:
        return
    os.environ["XLA_FLAGS"] = f"{flags} {_OPTION}=xla_cpu_small_while_loop_byte_threshold={_BYTES}".strip()
