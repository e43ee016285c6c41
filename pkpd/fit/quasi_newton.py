"""The outer optimiser: BFGS on the unconstrained parameters, started from the curvature that the scores show.

The sum of s s' over the subjects' scores s is, near an optimum, twice the Hessian of the objective (information
identity, -2 log L): a start that knows how parameters of different size and unit relate. Steps follow Nocedal and
Wright 2006, Numerical Optimization, algorithms 3.5, 3.6 and 6.1, doi:10.1007/978-0-387-40065-5.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from pkpd.fit.estimator import Progress, Verdict
from pkpd.fit.scalar import Scalar, Vector

_LEAST = 1e-10
"""Least eigenvalue of the curvature scaled to a unit diagonal."""


class Position(NamedTuple):
    """Where BFGS is; `curvature` approximates the Hessian; `gain` is what the last step brought."""

    x: np.ndarray
    value: np.ndarray
    gradient: np.ndarray
    curvature: np.ndarray
    gain: np.ndarray
    step: np.ndarray
    evaluations: np.ndarray
    stuck: np.ndarray
    restarted: np.ndarray


@dataclass(frozen=True)
class QuasiNewton:
    """BFGS. Converged when g' B^-1 g, twice what the quadratic model still promises, is below `tolerance`.

    That is a difference of the objective, the same whatever the units and scales of the parameters are.
    """

    tolerance: float = 1e-9
    steps: int = 500
    reach: float = 1.0
    """No step moves an element of x by more: on the log scale, a factor of e."""

    def init(self, scalar: Scalar, x: Vector) -> Position:
        """The start. Raises nothing where the objective is infinite; `terminate` says so."""
        value, gradient, scores = scalar.value(x)
        one = np.asarray
        return Position(
            one(x), one(value), gradient, _from_scores(scores), one(np.inf), one(0), one(1), one(False), one(0)
        )

    def step(self, scalar: Scalar, state: Position) -> Position:
        """A step along -B^-1 g to where the objective is lower and flatter (Wolfe's conditions)."""
        direction = -np.linalg.solve(state.curvature, state.gradient)
        length = np.abs(direction).max()
        first = min(1.0, self.reach / length) if length else 1.0
        found = _search(scalar, state, direction, first, self.reach / length if length else 1.0)
        evaluations = state.evaluations + found.evaluations
        if not found.better:
            if state.restarted < 3:
                # The curvature has misled: start it anew from the scores here before giving up.
                scores = scalar.value(state.x)[2]
                return state._replace(
                    curvature=_from_scores(scores),
                    evaluations=evaluations + 1,
                    step=state.step + 1,
                    restarted=state.restarted + 1,
                )
            return state._replace(stuck=np.asarray(True), evaluations=evaluations, step=state.step + 1)
        return Position(
            found.x,
            np.asarray(found.value),
            found.gradient,
            _updated(state.curvature, found.x - state.x, found.gradient - state.gradient),
            state.value - found.value,
            state.step + 1,
            evaluations,
            np.asarray(False),
            state.restarted,
        )

    def terminate(self, state: Position) -> Verdict:
        """Converged, out of steps, or nowhere to go."""
        if not np.isfinite(state.value):
            return Verdict(True, False, "the objective is infinite at the start")
        promised = float(state.gradient @ np.linalg.solve(state.curvature, state.gradient))
        # One step that brought little can be luck: the promise and the last gain must both be small.
        settled = promised < self.tolerance and (state.gain < 1e3 * self.tolerance or state.step == 0)
        if settled or (state.stuck and promised < 1e-5):
            return Verdict(True, True, f"no more than {promised:.1e} of the objective is to be gained")
        if state.stuck:
            return Verdict(True, False, f"no lower value along the last direction, though {promised:.1e} is promised")
        if state.step >= self.steps:
            return Verdict(True, False, f"not converged after {self.steps} steps")
        return Verdict(False, False, "running")

    def finish(self, state: Position) -> Vector:
        """The last x."""
        return state.x

    def progress(self, state: Position) -> Progress:
        """The last value."""
        largest = float(np.abs(state.gradient).max())
        return Progress(int(state.step), float(state.value), largest, state.x, int(state.evaluations))


class _Found(NamedTuple):
    x: np.ndarray
    value: float
    gradient: np.ndarray
    evaluations: int
    better: bool


def _search(scalar: Scalar, state: Position, direction: np.ndarray, first: float, most: float) -> _Found:
    """A point along `direction` that meets the strong Wolfe conditions, or the best one seen."""
    slope = float(state.gradient @ direction)
    value, gradient = float(state.value), state.gradient
    low, low_value, low_slope = 0.0, value, slope
    high = np.inf
    best = _Found(state.x, value, gradient, 0, False)
    t, count = first, 0
    for count in range(1, 31):
        x = state.x + t * direction
        here, here_gradient, _ = scalar.value(x)
        along = float(here_gradient @ direction) if np.isfinite(here) else np.inf
        # Values closer than rounding cannot be ranked; there the slope decides (Hager and Zhang 2005).
        noise = 1e-13 * (1.0 + abs(value))
        enough = here <= value + 1e-4 * t * slope or (here <= value + noise and along <= -0.8 * slope)
        if enough and here <= best.value + noise:
            best = _Found(x, here, here_gradient, count, True)
        if not enough or here > low_value + noise:
            high = t
        elif abs(along) <= 0.9 * abs(slope) or (t >= most > 0 and along < 0):
            return best._replace(evaluations=count)
        elif along > 0:
            high, low_value = t, low_value
        else:
            low, low_value, low_slope = t, here, along
        if high - low < 1e-12 * max(1.0, t) or (best.better and count >= 12):
            break
        t = _between(low, low_value, low_slope, high, here if high == t else np.inf, most)
    return best._replace(evaluations=count)


def _between(low: float, low_value: float, low_slope: float, high: float, high_value: float, most: float) -> float:
    """The next trial: beyond `low` while nothing bounds it, else where a parabola has its lowest point."""
    if np.isinf(high):
        return min(2.0 * low, most) if low < most else 2.0 * low
    width = high - low
    if not np.isfinite(high_value):
        return low + 0.3 * width
    bend = (high_value - low_value - low_slope * width) / width**2
    ideal = -low_slope / (2 * bend) if bend > 0 else 0.5 * width
    return low + float(np.clip(ideal, 0.1 * width, 0.9 * width))


def _from_scores(scores: Float[np.ndarray, "parameter subject"]) -> np.ndarray:
    """Half the sum of s s' over the subjects, with a floor where the scores say nothing."""
    finite = np.where(np.isfinite(scores), scores, 0.0)
    return _positive(0.5 * finite @ finite.T, 0.05)


def _positive(curvature: np.ndarray, floor: float) -> np.ndarray:
    """The same where every eigenvalue of it, scaled to a unit diagonal, is above `floor`; the others raised to it."""
    scale = np.maximum(np.sqrt(np.maximum(np.diag(curvature), 0.0)), 1e-3)
    values, vectors = np.linalg.eigh(curvature / np.outer(scale, scale))
    if values[0] >= floor:
        return curvature
    return (vectors * np.maximum(values, floor)) @ vectors.T * np.outer(scale, scale)


def _updated(curvature: np.ndarray, s: np.ndarray, y: np.ndarray) -> np.ndarray:
    """BFGS, damped as Powell does where the curvature along the step is not positive."""
    bs = curvature @ s
    sbs, sy = float(s @ bs), float(s @ y)
    if sbs <= 0:
        return curvature
    if sy < 0.05 * sbs:
        mix = 0.95 * sbs / (sbs - sy)
        y = mix * y + (1 - mix) * bs
        sy = float(s @ y)
    # Along a line that curves very differently from the others, rounding may leave no curvature at all.
    return _positive(curvature - np.outer(bs, bs) / sbs + np.outer(y, y) / sy, _LEAST)
