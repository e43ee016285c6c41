"""What the compiler is told on a CPU: loops as functions, and little work compiled quickly.

A step of a chunk of subjects is some fifty kernels of a few hundred numbers each; starting one takes as long as running
it. A loop compiled into one function, not as a list of kernels started one after the other, takes half the time, and
compiling is quicker, too.

Where there is little to do compiling takes a hundred times as long as running, and a third to a half of it goes into
making the code fast. Such code is compiled without that; its numbers differ by rounding. For all other code LLVM's
lowest level of optimisation is asked for: none was found that a higher one makes faster.
"""

import os
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

import jax
from jax.core import Tracer

_OPTION = "--xla_backend_extra_options"
_BYTES = 100_000_000
"""A loop is compiled so if what it works on is smaller than this; the tables and rows of a chunk are."""

_Options = tuple[tuple[str, bool | int], ...]

_LEVEL = "xla_backend_optimization_level"
_OLDER = ("xla_cpu_use_fusion_emitters", False)
"""The older of XLA's two ways from operations to code: a fifth less to compile, and what it makes is as fast."""

_WELL: _Options = (_OLDER, (_LEVEL, 1))
_QUICKLY: _Options = (_OLDER, (_LEVEL, 0))
"""How much LLVM optimises: as far as it pays, and not at all."""

FEW = 16
"""So many subjects are compiled for quickly: seconds less to wait for the first, then 1 to 16 ms more a call."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


def compile_loops_as_functions() -> None:
    """Tell XLA, unless the user has told it something of that kind; without effect once JAX is running.

    Of options passed this way XLA passes over those it does not know.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _OPTION in flags:
        return
    os.environ["XLA_FLAGS"] = f"{flags} {_OPTION}=xla_cpu_small_while_loop_byte_threshold={_BYTES}".strip()


@cache
def _has(name: str, value: bool | int) -> bool:
    """Whether this version of XLA has an option; it refuses others."""
    try:
        jax.jit(lambda: 0.0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def few(of_subjects: Any) -> bool:
    """Whether an array `[.., subject]` is one of few subjects."""
    return of_subjects.shape[-1] <= FEW


def jitted(*static: str, little: Callable[..., bool]) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """`jax.jit` with the arguments `static`; compiled quickly on a CPU where `little` says so of the arguments.

    `little` should look at shapes only, so that the same shapes always give the same numbers.
    """

    def made(function: Callable[_P, _R]) -> Callable[_P, _R]:
        @cache
        def compiled(options: _Options) -> Any:
            known = {name: value for name, value in options if _has(name, value)}
            return jax.jit(function, static_argnames=static, compiler_options=known)

        @wraps(function)
        def called(*given: _P.args, **named: _P.kwargs) -> _R:
            part = any(isinstance(one, Tracer) for one in jax.tree.leaves((given, named)))
            if part or jax.default_backend() != "cpu":  # options are a CPU's, and for the outermost function only
                return compiled(())(*given, **named)
            return compiled(_QUICKLY if little(*given, **named) else _WELL)(*given, **named)

        return called

    return made


quickly = jitted(little=lambda *_: True)
"""`jax.jit` for what is run a few times on a few subjects."""
