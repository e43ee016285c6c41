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
from functools import cache, partial, update_wrapper
from inspect import signature
from typing import Any, Generic, ParamSpec, TypeVar

import jax
from jax.core import Tracer

from pkpd.engine.interpreted import interpreted

_OPTION = "--xla_backend_extra_options"
_BYTES = 100_000_000
"""A loop is compiled so if what it works on is smaller than this; the tables and rows of a chunk are."""
_ASKED = ",".join(
    (
        f"xla_cpu_small_while_loop_byte_threshold={_BYTES}",
        "xla_cpu_disable_loop_unrolling",
        "xla_cpu_disable_slp_vectorizer",
    )
)
"""And loops over subjects are not unrolled: a sixth to a third of the wait, and nothing was seen to run slower. Nor are
operations in a row looked through for some that could be done at once: a tenth of the wait, and as fast."""

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
    os.environ["XLA_FLAGS"] = f"{flags} {_OPTION}={_ASKED}".strip()


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


class Program(Generic[_P, _R]):
    """A function that JAX makes a program of: see `jitted`."""

    def __init__(
        self,
        function: Callable[_P, _R],
        static: tuple[str, ...],
        little: Callable[..., bool],
        walked: Callable[..., bool],
        donated: tuple[str, ...],
    ) -> None:
        self._static, self._little, self._walked = static, little, walked
        self._order = signature(function)
        self._compiled = cache(partial(_jit, function, static, donated))
        update_wrapper(self, function)

    def __call__(self, *given: _P.args, **named: _P.kwargs) -> _R:
        if any(isinstance(one, Tracer) for one in jax.tree.leaves((given, named))):
            return self._compiled(())(*given, **named)  # options are for the outermost function only
        if (run := self._walk(*given, **named)) is not None:
            return run()
        return self._chosen(*given, **named)(*given, **named)

    def ahead(self, *given: Any) -> tuple[Any, Callable[[], object]]:
        """(Shapes of what it finds, what compiles it). Of `given` shapes will do; another thread may compile."""
        traced = self._chosen(*given).trace(*given)
        walked = self._walk(*given) is not None
        shapes = jax.tree.map(lambda one: jax.ShapeDtypeStruct(one.shape, one.dtype), traced.out_info)
        return shapes, (lambda: None) if walked else traced.lower().compile

    def _chosen(self, *given: Any, **named: Any) -> Any:
        if jax.default_backend() != "cpu":  # options are a CPU's
            return self._compiled(())
        return self._compiled(_QUICKLY if self._little(*given, **named) else _WELL)

    def _walk(self, *given: Any, **named: Any) -> Callable[[], _R] | None:
        if jax.default_backend() != "cpu" or not self._walked(*given, **named):
            return None
        bound = self._order.bind(*given, **named)
        bound.apply_defaults()
        every = bound.args
        traced = self._chosen(*every).trace(*every)
        walk = interpreted(traced.jaxpr)
        if walk is None:
            return None
        dynamic = [one for name, one in zip(self._order.parameters, every, strict=True) if name not in self._static]
        shape = jax.tree.structure(traced.out_info)
        return lambda: jax.tree.unflatten(shape, walk(jax.tree.leaves(dynamic)))


def _jit(function: Callable[..., Any], static: tuple[str, ...], donated: tuple[str, ...], options: _Options) -> Any:
    known = {name: value for name, value in options if _has(name, value)}
    return jax.jit(function, static_argnames=static, donate_argnames=donated, compiler_options=known)


def jitted(
    *static: str,
    little: Callable[..., bool],
    walked: Callable[..., bool] = lambda *_, **__: False,
    donated: tuple[str, ...] = (),
) -> Callable[[Callable[_P, _R]], Program[_P, _R]]:
    """`jax.jit` with the arguments `static`; compiled quickly on a CPU where `little` says so of the arguments, and
    not at all where `walked` does and it can be run without (see `pkpd.engine.interpreted`). donated: arguments whose
    memory what it finds may take.

    Both should look at shapes only, so that the same shapes always give the same numbers.
    """
    return lambda function: Program(function, static, little, walked, donated)


quickly = jitted(little=lambda *_: True)
"""`jax.jit` for what is run a few times on a few subjects."""
