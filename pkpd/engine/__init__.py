"""Solving a model over a subject's events. How JAX is set up is decided here and nowhere else."""

from pkpd.engine.cache import keep_compilations
from pkpd.engine.compiler import compile_loops_as_functions
from pkpd.engine.devices import use_every_core
from pkpd.engine.precision import require_double_precision

require_double_precision()
use_every_core()
compile_loops_as_functions()
keep_compilations()
