"""Residual error: what an endpoint's observations scatter by, around the prediction f.

    Proportional(0.3) & StudentT(4) & BelowLimit("M3")

A number is an initial estimate; any parameter may be an expression with covariates or random effects. With
`TransformBothSides` the error is that of the transformed observation around the transformed prediction.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from pkpd.errors import InputError
from pkpd.population.expression import Expression
from pkpd.population.individual import initial_estimate
from pkpd.population.noise import Gaussian, Noise, StudentT
from pkpd.population.transform import Kind, Number


@dataclass(frozen=True)
class BelowLimit:
    """How observations beyond a limit of the assay count (CENS and LIMIT of the data, with Monolix's meaning).

    M1: not at all. M3: by the probability of lying below the limit (above it for CENS -1), and above LIMIT where
    the data give that other end. M4: as M3, all of the endpoint's observations given that they are positive.
    Beal 2001, doi:10.1023/A:1012299115260.
    """

    method: str = "M3"

    def __post_init__(self) -> None:
        if self.method not in ("M1", "M3", "M4"):
            raise InputError(
                f"BelowLimit({self.method!r}): known are M1, M3 (intervals too) and M4; M5, M6 and M7 change the "
                "data: pkpd.dataset.blq"
            )


@dataclass(frozen=True)
class TransformBothSides:
    """h(y) = h(f) + error, with h(y) log y, log((y - lower)/(upper - y)), or (y^shape - 1)/shape.

    `shape` may be estimated: a number is its initial estimate. The density is that of y: h'(y) is in it.
    """

    kind: str
    lower: Number = 0.0
    upper: Number = 1.0
    shape: Any = None

    def __post_init__(self) -> None:
        if self.kind not in ("log", "logit", "box-cox"):
            raise InputError(f"TransformBothSides({self.kind!r}): known are log, logit and box-cox")
        if (self.shape is not None) != (self.kind == "box-cox"):
            raise InputError("TransformBothSides has a shape if, and only if, it is box-cox")
        if self.kind == "box-cox":
            object.__setattr__(self, "shape", initial_estimate(self.shape, "identity"))

    @property
    def support(self) -> tuple[float, float]:
        """What y lies between."""
        return (float(self.lower), float(self.upper)) if self.kind == "logit" else (0.0, float("inf"))

    @property
    def inside(self) -> float:
        """A value that can be transformed, for rows that hold none."""
        return (self.lower + self.upper) / 2 if self.kind == "logit" else 1.0

    def apply(self, y: Array, shape: Array | float) -> Array:
        """h(y)."""
        if self.kind == "logit":
            return jnp.log(y - self.lower) - jnp.log(self.upper - y)
        if self.kind == "log":
            return jnp.log(y)
        near = jnp.abs(shape) < 1e-7
        apart = jnp.where(near, 1.0, shape)
        return jnp.where(near, jnp.log(y), jnp.expm1(apart * jnp.log(y)) / apart)

    def log_slope(self, y: Array, shape: Array | float) -> Array:
        """log h'(y)."""
        if self.kind == "logit":
            return jnp.log((self.upper - self.lower) / ((y - self.lower) * (self.upper - y)))
        return ((shape if self.kind == "box-cox" else 0.0) - 1.0) * jnp.log(y)


@dataclass(frozen=True)
class Residual:
    """An error model complete with its distribution, transformation, and what holds beyond limits."""

    scale: "Scale | UserDensity"
    noise: Noise = Gaussian()  # noqa: RUF009 a frozen value
    transformation: TransformBothSides | None = None
    below: BelowLimit | None = None

    def __and__(self, other: Any) -> "Residual":
        """This model with one more property. Raises `InputError` when it has that one already."""
        place = {StudentT: "noise", TransformBothSides: "transformation", BelowLimit: "below"}.get(type(other))
        if place is None:
            raise InputError(f"{other!r} is nothing an error model can have; StudentT, TransformBothSides, BelowLimit")
        if isinstance(self.scale, UserDensity):
            raise InputError(f"a UserDensity says all itself; {type(other).__name__} cannot be added")
        if getattr(self, place) not in (None, Gaussian()):
            raise InputError(f"{type(other).__name__} is given twice; once is enough")
        return replace(self, **{place: other})

    @property
    def vanishes(self) -> bool:
        """Whether a prediction of 0 has no error, or no transform."""
        at_zero = isinstance(self.scale, Proportional | Power)
        return at_zero or (self.transformation is not None and self.transformation.support[0] == 0.0)

    @property
    def parameters(self) -> dict[str, Expression]:
        """Everything that may be estimated, by label."""
        found = dict(self.scale.parameters)
        if self.transformation is not None and self.transformation.kind == "box-cox":
            found["shape"] = self.transformation.shape
        return found

    def of(self, parameters: Mapping[str, Expression]) -> "Residual":
        """The same model with other `parameters`, by label."""
        if isinstance(self.scale, UserDensity):
            return replace(self, scale=replace(self.scale, given=dict(parameters)))
        given = dict(parameters)
        bent = self.transformation
        if bent is not None and bent.kind == "box-cox":
            bent = replace(bent, shape=given.pop("shape"))
        return replace(self, scale=replace(self.scale, **given), transformation=bent)


@dataclass(frozen=True)
class Scale(ABC):
    """The SD of the error as a function of the prediction m; the kinds below say which.

    `follows`: whether it is not the same for every m.
    """

    follows: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for one in fields(self):
            given = getattr(self, one.name)
            if not isinstance(given, str | Expression):
                object.__setattr__(self, one.name, initial_estimate(given, self.transform))

    @property
    def transform(self) -> Kind:
        """The scale on which a parameter given as a number is estimated."""
        return "log"

    @property
    def parameters(self) -> dict[str, Expression]:
        """The parameters by label."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in found.items() if isinstance(value, Expression)}

    def __and__(self, other: Any) -> Residual:
        return Residual(self) & other

    @abstractmethod
    def log_scale(self, m: Array, p: Mapping[str, Array]) -> Array:
        """log SD `[observation, subject]` at the prediction m of that shape; p `[1, subject]`, by label."""


@dataclass(frozen=True)
class Additive(Scale):
    """SD = sd."""

    follows: ClassVar[bool] = False
    sd: Any

    def log_scale(self, m: Array, p: Mapping[str, Array]) -> Array:
        return jnp.broadcast_to(jnp.log(p["sd"]), m.shape)


@dataclass(frozen=True)
class Proportional(Scale):
    """SD = sd |f|."""

    sd: Any

    def log_scale(self, m: Array, p: Mapping[str, Array]) -> Array:
        return jnp.log(p["sd"]) + jnp.log(jnp.abs(m))


@dataclass(frozen=True)
class Combined(Scale):
    """SD = sqrt(additive^2 + proportional^2 f^2) where variances add (NONMEM's two EPS, Monolix's combined2), or
    additive + proportional |f| where SDs add (combined1)."""

    additive: Any
    proportional: Any
    adding: str = "variances"

    def __post_init__(self) -> None:
        if self.adding not in ("variances", "sds"):
            raise InputError(f"Combined(adding={self.adding!r}): either 'variances' add, or 'sds'")
        super().__post_init__()

    @property
    def transform(self) -> Kind:
        # Where squares add, a part that vanishes does so smoothly at 0; a logarithm would run to minus infinity.
        return "signed" if self.adding == "variances" else "log"

    def log_scale(self, m: Array, p: Mapping[str, Array]) -> Array:
        if self.adding == "variances":
            return 0.5 * jnp.log(p["additive"] ** 2 + (p["proportional"] * m) ** 2)
        return jnp.log(p["additive"] + p["proportional"] * jnp.abs(m))


@dataclass(frozen=True)
class Power(Scale):
    """SD = sd |f|^power."""

    sd: Any
    power: Any

    def log_scale(self, m: Array, p: Mapping[str, Array]) -> Array:
        return jnp.log(p["sd"]) + p["power"] * jnp.log(jnp.abs(m))


def exponential(sd: Any) -> Residual:
    """Log-normal error, y = f exp(sd e): additive on the log scale."""
    return Residual(Additive(sd), transformation=TransformBothSides("log"))


@dataclass(frozen=True)
class UserDensity:
    """`log_density(y, f, p)`: log p(y | f), elementwise on `[observation, subject]`, p by label `[1, subject]`.

    Written with jax.numpy; twice differentiable in f. For counts, ordered categories, or what is not here.
    """

    log_density: Callable[[Array, Array, Mapping[str, Array]], Array]
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, Expression]:
        """The parameters by label; numbers are initial estimates."""
        return {
            name: value if isinstance(value, Expression) else initial_estimate(value)
            for name, value in self.given.items()
        }
