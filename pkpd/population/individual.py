"""How an individual parameter is distributed around its typical value.

    LogNormal(10, cv=0.3) * (weight / 70) ** 0.75

A number as typical value or spread is an initial estimate; `fixed(0.3)` is not estimated. The typical value may be
any expression of thetas and covariates. The random effect is the sum of the subject's, the occasion's and the site's,
which is one and the same for all subjects of a site.
"""

from abc import abstractmethod
from dataclasses import dataclass, replace
from math import inf
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from pkpd.errors import InputError
from pkpd.population.expression import Expression, Given, Theta, Value, aligned
from pkpd.population.transform import Kind, Number, inverse_normal_scale

Spread = float | int | Theta | None


@dataclass(frozen=True)
class Random(Expression):
    """A parameter with a random effect; the kinds below say how the effect enters."""

    typical: Any
    sd: Spread = None
    occasion_sd: Spread = None
    site_sd: Spread = None
    name: str = ""

    scale: ClassVar[Kind] = "identity"

    def __post_init__(self) -> None:
        if not isinstance(self.typical, Expression):
            object.__setattr__(self, "typical", initial_estimate(self.typical, self.scale))
        inner = [type(part).__name__ for part in self.typical.walk() if isinstance(part, Random)]
        if inner:
            raise InputError(f"the typical value of a {type(self).__name__} is itself a {inner[0]}; one is enough")
        if self.spread is None and self.occasion_spread is None and self.site_spread is None:
            raise InputError(
                f"{type(self).__name__} of {self.typical} has no spread; give sd (or cv), or write Theta(..) for a "
                "parameter that does not vary"
            )

    @property
    def spread(self) -> Theta | None:
        """The SD of the random effect between subjects."""
        return _spread(self.sd)

    @property
    def occasion_spread(self) -> Theta | None:
        """The SD of the random effect between occasions of a subject."""
        return _spread(self.occasion_sd)

    @property
    def site_spread(self) -> Theta | None:
        """The SD of the random effect between sites."""
        return _spread(self.site_sd)

    @property
    def parts(self) -> tuple[Expression, ...]:
        # Spreads are no expressions of the value: they belong to Omega.
        return (self.typical,)

    def named(self, owner: str) -> "Random":
        return replace(self, name=self.name or owner, typical=self.typical.named(owner))

    def value(self, given: Given) -> Value:
        typical, eta = aligned(self.typical.value(given), given.etas[self.name])
        return self.joined(typical, eta, given)

    @abstractmethod
    def joined(self, typical: Any, eta: Any, given: Given) -> Value:
        """The individual value from the typical one and the random effect."""


@dataclass(frozen=True)
class Normal(Random):
    """typical + eta."""

    def joined(self, typical: Any, eta: Any, given: Given) -> Value:
        return typical + eta


@dataclass(frozen=True)
class LogNormal(Random):
    """typical exp(eta). Give `sd` of eta, or `cv` of the parameter: sd = sqrt(log(1 + cv^2)); one of each pair."""

    cv: Spread = None
    occasion_cv: Spread = None
    site_cv: Spread = None

    scale: ClassVar[Kind] = "log"

    def __post_init__(self) -> None:
        for sd, cv in ((self.sd, self.cv), (self.occasion_sd, self.occasion_cv), (self.site_sd, self.site_cv)):
            if sd is not None and cv is not None:
                raise InputError("a LogNormal is given both sd and cv; they say the same, give one")
        super().__post_init__()

    @property
    def spread(self) -> Theta | None:
        return _spread(self.sd, self.cv)

    @property
    def occasion_spread(self) -> Theta | None:
        return _spread(self.occasion_sd, self.occasion_cv)

    @property
    def site_spread(self) -> Theta | None:
        return _spread(self.site_sd, self.site_cv)

    def joined(self, typical: Any, eta: Any, given: Given) -> Value:
        return typical * jnp.exp(eta)


@dataclass(frozen=True)
class LogitNormal(Random):
    """lower + (upper - lower) expit(logit((typical - lower)/(upper - lower)) + eta)."""

    lower: Number = 0.0
    upper: Number = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.typical, Expression):
            theta = Theta(float(self.typical), lower=self.lower, upper=self.upper, transform="logit")
            object.__setattr__(self, "typical", theta)
        super().__post_init__()

    def joined(self, typical: Any, eta: Any, given: Given) -> Value:
        share = (typical - self.lower) / (self.upper - self.lower)
        return self.lower + (self.upper - self.lower) * jax.nn.sigmoid(jnp.log(share) - jnp.log1p(-share) + eta)


@dataclass(frozen=True)
class BoxCox(Random):
    """typical exp((exp(shape eta) - 1)/shape), which is log-normal at shape 0.

    Petersson, Hanze, Savic and Karlsson 2009, doi:10.1007/s11095-009-9931-5.
    """

    shape: Any = 0.1

    scale: ClassVar[Kind] = "log"

    def __post_init__(self) -> None:
        if not isinstance(self.shape, Expression):
            object.__setattr__(self, "shape", Theta(float(self.shape)))
        super().__post_init__()

    @property
    def parts(self) -> tuple[Expression, ...]:
        return (self.typical, self.shape)

    def named(self, owner: str) -> "BoxCox":
        return replace(
            self, name=self.name or owner, typical=self.typical.named(owner), shape=self.shape.named(f"{owner}.shape")
        )

    def joined(self, typical: Any, eta: Any, given: Given) -> Value:
        shape, eta = aligned(self.shape.value(given), eta)
        # expm1(shape eta)/shape is 0/0 at shape 0, where its series is exact to 1e-16.
        near = jnp.abs(shape) < 1e-5
        apart = jnp.where(near, 1.0, shape)
        bent = jnp.where(near, eta + shape * eta**2 / 2 + shape**2 * eta**3 / 6, jnp.expm1(apart * eta) / apart)
        typical, bent = aligned(typical, bent)
        return typical * jnp.exp(bent)


def initial_estimate(value: Any, kind: Kind | None = None) -> Theta:
    """A number where something is estimated. Raises `InputError` for anything that is no number."""
    if isinstance(value, Theta):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{value!r} is no value; give a number (an initial estimate), a Theta, or fixed(number)")
    if kind is None:
        kind = "log" if value > 0 else "identity"
    return Theta(float(value), transform=kind)


_LARGEST_CV = 10.0
"""Beyond that the parameters of most subjects would differ by orders of magnitude; who means it gives the sd."""


def _spread(sd: Spread, cv: Spread = None) -> Theta | None:
    given = sd if cv is None else cv
    if given is None:
        return None
    theta = initial_estimate(given, "identity")
    if theta.name:
        raise InputError(f"the spread '{theta.name}' has a name of its own; to share a variance use Same")
    if not theta.initial > 0 and not (theta.fixed and theta.initial == 0):
        raise InputError(f"a spread of {theta.initial:g} is no initial estimate; it is larger than 0")
    if isinstance(given, Theta) and given.transform is not None:
        raise InputError("a spread has no transform; the scale on which it is estimated is known")
    if (theta.lower, theta.upper) != (-inf, inf):
        raise InputError("a spread has no bounds but 0: leave lower and upper out, or give it a prior")
    if cv is not None and theta.initial > _LARGEST_CV:
        raise InputError(f"a cv is no percentage: for {theta.initial:g} % write {theta.initial / 100:g}")
    number = theta.initial if cv is None else inverse_normal_scale(theta.initial)
    return Theta(number, fixed=theta.fixed)
