"""A program run operation by operation, by NumPy: for what runs once, on little.

Compiling a few thousand operations takes XLA seconds; walking through them takes NumPy a tenth of one. What JAX traced
is the same either way, and so are the numbers, up to rounding.

Not everything can be run so: a loop of unknown length may be long, and operations on functions may be any. Where one is
met, or the walk would be long, there is no such run. An operation on arrays that NumPy has no word for is done by JAX.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from pkpd.engine.operations import in_numpy

Arrays = list[Any]

MOST_OPERATIONS = 50_000
"""Operations on the way, loops counted as often as they are gone through: a quarter of a second or so."""


@lru_cache(maxsize=64)
def interpreted(program: ClosedJaxpr) -> Callable[[Sequence[Any]], Arrays] | None:
    """`program` as a function of the list of its arguments, or None where it cannot be run so, or not soon."""
    if _operations(program) > MOST_OPERATIONS:
        return None
    made = program.out_avals
    # As XLA does; what is not finite is looked for in what is found.
    with np.errstate(all="ignore"):
        run = _walk(program)

    def called(given: Sequence[Any]) -> Arrays:
        with np.errstate(all="ignore"), jax.ensure_compile_time_eval():
            found = run(list(map(np.asarray, given)))
        return list(map(_final, found, made))

    return called


def _final(found: Any, as_said: Any) -> np.ndarray:
    """A result: an array, also where it is one number, not to be written into, for it may be somebody else's."""
    array = np.asarray(found, as_said.dtype).view()
    array.flags.writeable = False
    return array


def _inner(equation: Any) -> list[ClosedJaxpr]:
    """The programs within an operation."""
    every = (one for value in equation.params.values() for one in (value if isinstance(value, tuple) else (value,)))
    return [one if isinstance(one, ClosedJaxpr) else ClosedJaxpr(one, ()) for one in every if hasattr(one, "eqns")]


def _operations(program: ClosedJaxpr) -> float:
    """How many there are; infinite where one cannot be done."""
    total = 0.0
    for equation in _needed(program):
        name = equation.primitive.name
        inner = sum(map(_operations, _inner(equation)))
        times = equation.params["length"] if name == "scan" else 1
        strange = inner and name not in _NESTED and not name.startswith("scatter")
        if strange or times == 0 or equation.effects or not equation.outvars or not all(map(_number, equation.outvars)):
            return np.inf
        total += 1.0 + inner * times
    return total


def _needed(program: ClosedJaxpr) -> list[Any]:
    """The operations without those that make what nothing asks for: of second derivatives a quarter."""
    found, wanted = [], {one for one in program.jaxpr.outvars if not isinstance(one, Literal)}
    for equation in reversed(program.jaxpr.eqns):
        if equation.effects or not wanted.isdisjoint(equation.outvars):
            found.append(equation)
            wanted |= {one for one in equation.invars if not isinstance(one, Literal)}
    return found[::-1]


def _number(variable: Any) -> bool:
    """Whether it is an array of what NumPy knows, not of JAX's keys of random numbers."""
    return isinstance(getattr(variable.aval, "dtype", None), np.dtype)


def _walk(program: ClosedJaxpr) -> Callable[[Arrays], Arrays]:
    """The operations in order, each with the places of what it takes and of what it makes, and of what is not needed
    after it. What does not hang on the arguments is found now, and once.
    """
    jaxpr = program.jaxpr
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, map(np.asarray, program.consts), strict=True))
    places = {variable: i for i, variable in enumerate(jaxpr.invars)}
    kept: dict[int, Any] = {}
    steps = []

    def place(variable: Any) -> int:
        """New ones go to the end."""
        if isinstance(variable, Literal) or variable in known:
            i = len(places) + len(kept)
            kept[i] = _value(variable) if isinstance(variable, Literal) else known[variable]
            return i
        return places.setdefault(variable, len(places) + len(kept))

    for equation in _needed(program):
        operation = _operation(equation)
        if equation.primitive.name not in _NESTED and all(
            isinstance(i, Literal) or i in known for i in equation.invars
        ):
            values = operation(*(_value(i) if isinstance(i, Literal) else known[i] for i in equation.invars))
            known |= zip(equation.outvars, values if len(equation.outvars) > 1 else [values], strict=True)
        else:
            steps.append((operation, tuple(map(place, equation.invars)), tuple(map(place, equation.outvars))))
    found = list(map(place, jaxpr.outvars))
    memory: Arrays = [kept.get(i) for i in range(len(places) + len(kept))]
    needed, last = {*found, *kept}, []
    for _, taken, made in reversed(steps):
        last.append([i for i in {*taken, *made} if i not in needed])
        needed |= {*taken, *made}

    def run(given: Arrays) -> Arrays:
        now = memory.copy()
        now[: len(given)] = given
        for (operation, taken, made), over in zip(steps, reversed(last), strict=True):
            values = operation(*[now[i] for i in taken])
            if len(made) == 1:
                now[made[0]] = values
            else:
                for i, value in zip(made, values, strict=True):
                    now[i] = value
            for i in over:
                now[i] = None
        return [now[i] for i in found]

    return run


def _value(literal: Literal) -> np.ndarray:
    return np.asarray(literal.val, literal.aval.dtype)  # pyright: ignore[reportAttributeAccessIssue]


def _operation(equation: Any) -> Callable[..., Any]:
    """A function of arrays; of what it makes if it makes one thing, else of the list."""
    name, parameters = equation.primitive.name, equation.params
    single = len(equation.outvars) == 1
    if name in _NESTED:
        run = _NESTED[name](parameters, [_walk(one) for one in _inner(equation)])
        return (lambda *given: run(*given)[0]) if single else run
    if (by_numpy := in_numpy(equation)) is not None:
        return by_numpy

    def by_jax(*given: Any) -> Any:
        made = equation.primitive.bind(*map(jnp.asarray, given), **parameters)
        if not equation.primitive.multiple_results:
            return np.asarray(made)
        values = [np.asarray(one) for one in made]
        return values[0] if single else values

    return by_jax


def _called(parameters: dict[str, Any], inner: list[Any]) -> Callable[..., Arrays]:
    return lambda *given: inner[0](list(given))


def _scan(parameters: dict[str, Any], inner: list[Any]) -> Callable[..., Arrays]:
    fixed, carried = parameters["num_consts"], parameters["num_consts"] + parameters["num_carry"]
    order = range(parameters["length"])[:: -1 if parameters["reverse"] else 1]

    def run(*given: Any) -> Arrays:
        constants, state, rows = list(given[:fixed]), list(given[fixed:carried]), given[carried:]
        found = []
        for i in order:
            values = inner[0]([*constants, *state, *(one[i] for one in rows)])
            state = values[: carried - fixed]
            found.append(values[carried - fixed :])
        return [*state, *(np.stack(one) for one in zip(*found[:: order.step], strict=True))]

    return run


def _cond(parameters: dict[str, Any], inner: list[Any]) -> Callable[..., Arrays]:
    return lambda which, *given: inner[int(np.clip(which, 0, len(inner) - 1))](list(given))


_NESTED = {"jit": _called, "pjit": _called, "remat2": _called, "checkpoint": _called, "closed_call": _called}
_NESTED |= {"custom_jvp_call": _called, "scan": _scan, "cond": _cond}
