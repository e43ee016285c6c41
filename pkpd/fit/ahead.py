"""The programs of a fit and its examination, made ready beside one another.

A first fit waits for the compiler, which keeps one core busy. While it compiles one program the next is traced, and on
another core compiled.
"""

import gc
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress

import jax.numpy as jnp

from pkpd.fit import hessian, importance, objective
from pkpd.fit.audit import laid
from pkpd.fit.clock import making_programs
from pkpd.fit.scalar import Scalar, natural


def prepare(scalar: Scalar) -> None:
    """What estimation, covariance step and audit will run for `scalar` is compiled when this returns.

    What cannot be is left for later: where it is called it fails again, and is told there, not before the estimates.
    """
    aside, begun = ThreadPoolExecutor(os.cpu_count()), []
    try:
        with making_programs(), _garbage_left():
            with suppress(Exception):
                for compiling in _programs(scalar):
                    begun.append(aside.submit(compiling))
            wait(begun)  # or what is still being compiled would be compiled twice
    finally:
        aside.shutdown(wait=False, cancel_futures=True)  # who interrupts does not wait for all of them


@contextmanager
def _garbage_left() -> Iterator[None]:
    """Python does not look for garbage in here: traces are made of objects by the hundred thousand, nearly all of them
    needed to the end, and looking through them takes a sixth of tracing."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _programs(scalar: Scalar) -> Iterator[Callable[[], object]]:
    """By and large those that take longest first; each has been traced when it comes."""
    x = jnp.asarray(scalar.population.packing.start())
    given = (scalar.population, scalar.approximation, scalar.problem)
    found = yield from objective.ahead(x, *given)
    yield from hessian.ahead(x, found.z, *given)
    sampled = laid(scalar)
    if sampled is not None:
        if sampled is not scalar:
            yield from objective.ahead(x, sampled.population, sampled.approximation, sampled.problem)
        yield importance.ahead(x, found, scalar.population, scalar.problem)
    yield natural.ahead(x, scalar.population)[1]
