"""Between a bounded value and the unconstrained, well-scaled number that an optimiser moves."""

from dataclasses import dataclass
from math import inf, isfinite, log
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array

from pkpd.errors import InputError

Kind = Literal["log", "logit", "identity", "signed"]

Number = float | int
"""What a person may write for a number."""


@dataclass(frozen=True)
class Transform:
    """value(x), by kind:

    | kind | value |
    |---|---|
    | log | lower + exp(x), or upper - exp(x) |
    | logit | lower + (upper - lower) / (1 + exp(-x)) |
    | identity | scale x |
    | signed | scale x; its sign has no meaning, so that a standard deviation may reach 0 smoothly |
    """

    kind: Kind
    lower: float = 0.0
    upper: float = inf
    scale: float = 1.0

    def value(self, x: Array) -> Array:
        """The value at `x`, any shape."""
        if self.kind == "log":
            return self.lower + jnp.exp(x) if isfinite(self.lower) else self.upper - jnp.exp(x)
        if self.kind == "logit":
            return self.lower + (self.upper - self.lower) * jax.nn.sigmoid(x)
        return self.scale * x

    def position(self, value: float) -> float:
        """The `x` of a value."""
        if self.kind == "log":
            return log(value - self.lower) if isfinite(self.lower) else log(self.upper - value)
        if self.kind == "logit":
            return log((value - self.lower) / (self.upper - value))
        return value / self.scale


def chosen(kind: Kind | None, initial: Number, lower: Number, upper: Number, name: str, held: bool) -> Transform:
    """The transform of a value with these bounds. Raises `InputError` where it cannot be."""
    label = f"theta '{name}'" if name else "a theta"
    if not isfinite(initial) or not lower <= initial <= upper or not lower < upper:
        raise InputError(f"{label}: the initial estimate {initial:g} is not between {lower:g} and {upper:g}")
    bounded = (isfinite(lower), isfinite(upper))
    if kind is None:
        kind = "identity" if bounded == (False, False) else "logit" if bounded == (True, True) else "log"
    if kind == "log" and bounded == (False, False):
        lower = 0.0
    if kind == "log" and bounded == (True, True):
        raise InputError(f"{label}: a log transform has one bound; for two give transform = 'logit'")
    if kind == "logit" and bounded != (True, True):
        raise InputError(f"{label}: a logit transform needs lower and upper")
    if kind in ("identity", "signed") and bounded != (False, False):
        raise InputError(f"{label}: transform = '{kind}' has no bounds; leave them out or take 'log' or 'logit'")
    inside = lower < initial < upper or kind in ("identity", "signed")
    if not inside and not held:
        if lower <= initial <= upper and initial in (lower, upper):
            raise InputError(f"{label}: the initial estimate {initial:g} is on a bound, where nothing can move it")
        raise InputError(f"{label}: the initial estimate {initial:g} is not larger than 0, as a log scale needs")
    scale = abs(initial) if kind in ("identity", "signed") and initial else 1.0
    return Transform(kind, float(lower) if kind in ("log", "logit") else 0.0, float(upper), float(scale))


def inverse_normal_scale(cv: float) -> float:
    """SD of log(x) for a log-normal x of coefficient of variation `cv`: sqrt(log(1 + cv^2))."""
    return log(1.0 + cv**2) ** 0.5
