"""First-order methods of optax, by name: slow but steady where curvature misleads."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from pkpd.errors import InputError
from pkpd.fit.estimator import Progress, Verdict
from pkpd.fit.scalar import Scalar, Vector

METHODS = ("adam", "adabelief", "amsgrad", "nadam", "rmsprop", "sgd")


class Descent(NamedTuple):
    """Where the descent is; the best point seen, and what the method remembers."""

    x: Any
    value: Any
    gradient: Any
    best: Any
    best_value: Any
    memory: Any
    step: Any
    evaluations: Any


@dataclass(frozen=True)
class FirstOrder:
    """`name` of optax with `rate`. Converged when no element of the gradient exceeds `tolerance`.

    Raises `InputError` on a name that is not known.
    """

    name: str = "adam"
    rate: float = 0.05
    steps: int = 2000
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        if self.name not in METHODS:
            raise InputError(f"first-order method '{self.name}' is not known; there are {', '.join(METHODS)}")

    def _method(self) -> Any:
        import optax

        # The rate falls to a hundredth, so that the last steps settle instead of circling the optimum.
        return getattr(optax, self.name)(optax.cosine_decay_schedule(self.rate, self.steps, 0.01))

    def init(self, scalar: Scalar, x: Vector) -> Descent:
        """The start."""
        value, gradient, _ = scalar.value(x)
        memory = self._method().init(jnp.asarray(x))
        return Descent(x, np.asarray(value), gradient, x, np.asarray(value), memory, np.asarray(0), np.asarray(1))

    def step(self, scalar: Scalar, state: Descent) -> Descent:
        """One step; back to the best point where the objective has become infinite."""
        # optax counts its steps in integers and multiplies with them, which strict promotion would refuse.
        with jax.numpy_dtype_promotion("standard"):
            update, memory = self._method().update(jnp.asarray(state.gradient), state.memory, jnp.asarray(state.x))
        x = np.asarray(state.x + np.asarray(update))
        value, gradient, _ = scalar.value(x)
        evaluations = state.evaluations + 1
        if not np.isfinite(value):
            x = 0.5 * (state.x + state.best) if not np.array_equal(state.x, state.best) else state.best
            value, gradient, _ = scalar.value(x)
            evaluations = evaluations + 1
        better = value < state.best_value
        return Descent(
            x,
            np.asarray(value),
            gradient,
            x if better else state.best,
            np.asarray(value) if better else state.best_value,
            memory,
            state.step + 1,
            evaluations,
        )

    def terminate(self, state: Descent) -> Verdict:
        """Converged or out of steps."""
        if not np.isfinite(state.best_value):
            return Verdict(True, False, "the objective is infinite at the start")
        largest = float(np.abs(state.gradient).max())
        if np.isfinite(state.value) and largest < self.tolerance:
            return Verdict(True, True, f"no element of the gradient exceeds {self.tolerance:g}")
        if state.step >= self.steps:
            return Verdict(True, False, f"not converged after {self.steps} steps: the gradient is still {largest:.1e}")
        return Verdict(False, False, "running")

    def finish(self, state: Descent) -> Vector:
        """The best point seen."""
        return np.asarray(state.best)

    def progress(self, state: Descent) -> Progress:
        """The last value."""
        largest = float(np.abs(state.gradient).max())
        return Progress(int(state.step), float(state.value), largest, np.asarray(state.x), int(state.evaluations))
