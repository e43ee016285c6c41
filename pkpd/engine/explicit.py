"""Explicit Runge-Kutta methods as plain numbers: Tsit5's are kept, the tableau and the dense output of others read off
diffrax."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from pkpd.engine import tsit5
from pkpd.engine.method import Column, Columns, Increments, Method, Once, weigh
from pkpd.errors import InputError

_CLASSES = {"tsit5": "Tsit5", "dopri5": "Dopri5"}
EXPLICIT = tuple(_CLASSES)


@dataclass(frozen=True)
class ExplicitMethod(Method):
    """k_i = f(t + c_i h, y + sum_j a_ij K_j), K_i = h k_i;  y1 = y + sum_i b_i K_i;  error = sum_i e_i K_i.

    The last stage is the first of the next step. `dense[i, d]` gives the value inside the step,
    y(t + s h) = y + sum_i K_i sum_d dense[i, d] s^(d + 1), for 0 <= s <= 1.
    """

    name: str
    order: int
    c: Float[np.ndarray, " stages"]
    a: tuple[Float[np.ndarray, " _"], ...]
    b: Float[np.ndarray, " stages"]
    e: Float[np.ndarray, " stages"]
    dense: Float[np.ndarray, "stages degree"]

    @property
    def stages(self) -> int:
        return len(self.b)

    @property
    def fractions(self) -> tuple[float, ...]:
        """The distinct abscissae beyond 0, the last being 1."""
        return tuple(sorted({float(c) for c in self.c if c > 0.0}))

    def begin(self, slope_at: Callable[[Columns], Columns], y: Columns) -> Columns:
        return slope_at(y)

    def increments(
        self,
        slope_at: Callable[[Columns, dict[str, Column]], Columns],
        y: Columns,
        slope: Columns,
        h: Column,
        u: list[dict[str, Column]],
        once: Once,
    ) -> Increments:
        """K_i = h k_i, and the last k; `u` are the drives at `fractions`."""
        last, stages = slope, [tuple(h * k for k in slope)]
        for i in range(1, self.stages):
            inner = tuple(y0 + weigh(self.a[i - 1], [k[v] for k in stages]) for v, y0 in enumerate(y))
            at = u[self.fractions.index(float(self.c[i]))]
            last = once(lambda inner=inner, at=at: slope_at(inner, at))
            stages.append(tuple(h * k for k in last))
        return Increments(stages, last)


@cache
def explicit_method(name: str) -> ExplicitMethod:
    """The method called `name`; raises `InputError` listing those there are."""
    if name not in EXPLICIT:
        raise InputError(f"no explicit method '{name}'; there are {', '.join(EXPLICIT)}")
    if name == "tsit5":
        a = tuple(np.array(row) for row in tsit5.A)
        c, b, e, dense = (np.array(numbers) for numbers in (tsit5.C, tsit5.B, tsit5.E, tsit5.DENSE))
        return ExplicitMethod(name, tsit5.ORDER, c, a, b, e, dense)
    return of_diffrax(name)


def of_diffrax(name: str) -> ExplicitMethod:
    """The numbers of one of `EXPLICIT`, as diffrax has them."""
    import diffrax  # takes as long to load as all the rest but JAX

    solver = getattr(diffrax, _CLASSES[name])()
    tableau = solver.tableau
    b = np.asarray(tableau.b_sol, dtype=float)
    return ExplicitMethod(
        name=name,
        order=solver.order(None),
        c=np.concatenate([[0.0], np.asarray(tableau.c, dtype=float)]),
        a=tuple(np.asarray(row, dtype=float) for row in tableau.a_lower),
        b=b,
        e=np.asarray(tableau.b_error, dtype=float),
        dense=_dense_output(solver, b),
    )


def _dense_output(solver: Any, b: np.ndarray) -> np.ndarray:
    """The interpolant as polynomials: read off diffrax's own by feeding it unit stages.

    diffrax gives values; the polynomial of degree 4 through five of them (0 at s = 0) is recovered exactly.
    """
    stages = len(b)
    degree = 4
    s = np.linspace(0.25, 1.0, degree)

    @jax.jit  # else every operation in it would be compiled by itself, as those of `jnp.eye` would be even so
    def interpolated(at: jax.Array) -> jax.Array:
        unit = jnp.asarray(np.eye(stages))
        interpolant = solver.interpolation_cls(t0=0.0, t1=1.0, y0=jnp.zeros(stages), y1=jnp.asarray(b), k=unit)
        return jax.vmap(interpolant.evaluate)(at)

    with jax.ensure_compile_time_eval():  # numbers, also when first asked for while JAX is tracing
        values = np.asarray(interpolated(jnp.asarray(s)))
    powers = s[:, None] ** np.arange(1, degree + 1)[None, :]
    return np.linalg.solve(powers, values).T
