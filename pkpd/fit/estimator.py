"""What an estimator is, and the one loop that runs all of them.

An estimator starts with a state, steps from state to state, says when to stop, and makes of the last state what it
found. The state is all there is: whoever holds it can report progress, write it down, and go on from it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from pkpd.fit.scalar import Scalar

State = Any
"""A NamedTuple of NumPy arrays."""


@dataclass(frozen=True)
class Verdict:
    """Whether an estimator is done, whether it has converged, and why, in words."""

    done: bool
    converged: bool
    reason: str


@dataclass(frozen=True)
class Progress:
    """Where a fit is: `step` from 0, objective, largest derivative, all of x; how often the objective was evaluated."""

    step: int
    value: float
    gradient: float
    x: Float[np.ndarray, " parameter"]
    evaluations: int


@runtime_checkable
class Estimator(Protocol):
    """An outer method: minimises a scalar function from a start."""

    def init(self, scalar: Scalar, x: Float[np.ndarray, " parameter"]) -> State:
        """The state at the start."""
        ...

    def step(self, scalar: Scalar, state: State) -> State:
        """The next state."""
        ...

    def terminate(self, state: State) -> Verdict:
        """Whether to stop."""
        ...

    def finish(self, state: State) -> Float[np.ndarray, " parameter"]:
        """The estimate."""
        ...

    def progress(self, state: State) -> Progress:
        """What to tell a person who waits."""
        ...


def run(
    estimator: Estimator,
    scalar: Scalar,
    state: State,
    *,
    told: Callable[[Progress], None] | None = None,
    kept: Callable[[State], None] | None = None,
) -> tuple[State, Verdict]:
    """Step until the estimator stops. After each step the state is `kept` and its progress `told`."""
    while not (verdict := estimator.terminate(state)).done:
        state = estimator.step(scalar, state)
        if kept is not None:
            kept(state)
        if told is not None:
            told(estimator.progress(state))
    return state, verdict
