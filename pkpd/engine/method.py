"""What a one-step method is: increments of a batch of subjects, an error estimate, and values inside the step."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float

Column = Float[Array, " batch"]
Columns = tuple[Column, ...]

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
        apart: Bool[Array, ""],
    ) -> Increments:
        """One step of length `h` [h] from `y`, which has the derivative `slope`; `u` are the drives at `fractions`.

        apart: true, but not known to be so when compiling.
        """


def weigh(weights: Float[np.ndarray, " stages"], stages: list[Column]) -> Column:
    """Sum of weight x stage, zeros left out."""
    terms = [float(w) * k for w, k in zip(weights, stages, strict=True) if w != 0.0]
    return sum(terms[1:], terms[0])
