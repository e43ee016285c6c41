"""What a one-step method is: increments of a batch of subjects, an error estimate, and values inside the step."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

Column = Float[Array, " batch"]
Columns = tuple[Column, ...]

T = TypeVar("T")

Once = Callable[[Callable[[], Any]], Any]
"""Computes its argument where the compiler cannot take it apart, see `once`."""

Field = Callable[[Columns, dict[str, Column]], Columns]
"""dy/dt from the states and the readouts that drive them."""


class Increments(NamedTuple):
    """One step: y1 = y + sum of b_i K_i, error estimate sum of e_i K_i, inside it y + sum of K_i dense_i(s).

    slope: the derivative at the end, where the method has it.
    """

    stages: list[Columns]
    slope: Columns


class Method(ABC):
    """A one-step method in increments K_i: explicit Runge-Kutta or Rosenbrock.

    `dense[i, d]` is the coefficient of s^(d + 1) in the weight of K_i at the part s of the step. `fractions`: where in
    a step, beyond its start, the method looks at the drive, the last being 1.
    """

    name: str
    order: int
    b: Float[np.ndarray, " stages"]
    e: Float[np.ndarray, " stages"]
    dense: Float[np.ndarray, "stages degree"]

    @property
    @abstractmethod
    def fractions(self) -> tuple[float, ...]: ...

    @abstractmethod
    def begin(self, slope_at: Callable[[Columns], Columns], y: Columns) -> Columns:
        """What a step needs to know of its start."""

    @abstractmethod
    def increments(
        self,
        slope_at: Callable[[Columns, dict[str, Column]], Columns],
        y: Columns,
        slope: Columns,
        h: Column,
        u: list[dict[str, Column]],
        once: Once,
    ) -> Increments:
        """One step of length `h` [h] from `y`, which has the derivative `slope`; `u` are the drives at `fractions`.

        once: computes something by itself.
        """


def weigh(weights: Float[np.ndarray, " stages"], stages: list[Column]) -> Column:
    """Sum of weight x stage, zeros left out."""
    terms = [float(w) * k for w, k in zip(weights, stages, strict=True) if w != 0.0]
    return sum(terms[1:], terms[0])


def once(true: Bool[Array, ""], compute: Callable[[], T]) -> T:
    """compute(), where the compiler cannot take it apart.

    XLA would compute anew whatever is used in several places, wherever it is used; what stands behind a condition is
    computed once. true: not known to be so when compiling.
    """
    shapes = jax.eval_shape(compute)
    return lax.cond(true, compute, lambda: jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes))


def once_each_way(true: Bool[Array, ""], compute: Callable[[], T]) -> T:
    """The same, with its reverse derivative behind a condition, too; that computes it again, and remembers nothing."""
    pure, used = jax.closure_convert(compute)

    @jax.custom_vjp
    def unit(true: Bool[Array, ""], used: list[Array]) -> T:
        return once(true, lambda: pure(*used))

    def there(true: Bool[Array, ""], used: list[Array]) -> tuple[T, tuple[Bool[Array, ""], list[Array]]]:
        return unit(true, used), (true, used)

    def back(kept: tuple[Bool[Array, ""], list[Array]], slope: T) -> tuple[None, list[Array]]:
        true, used = kept
        return None, once(true, lambda: list(jax.vjp(pure, *used)[1](slope)))

    unit.defvjp(there, back)
    return unit(true, list(used))
