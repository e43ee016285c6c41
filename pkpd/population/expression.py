"""What a person writes for a value: numbers, thetas and covariates, joined by arithmetic.

    Theta(10) * (Covariate("weight") / 70) ** 0.75 * (1 + Theta(0.2, name="cl_female") * Covariate("sex").equals("F"))

Inside arithmetic a number is a constant; what is estimated is a `Theta`. An expression is data: it is checked when
the model is written down and evaluated for all subjects at once.
"""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array

from pkpd.errors import InputError
from pkpd.population.transform import Number, Transform, chosen

Value = Array | float
"""`[subject]`, `[record, subject]` where it changes with time, or a plain number."""


@dataclass(frozen=True)
class Given:
    """What an expression is evaluated from: estimated values `[subject]`, random effects and covariates
    (`[subject]` or `[record, subject]`), by name."""

    values: Mapping[str, Array]
    etas: Mapping[str, Array]
    covariates: Mapping[str, Array]


class Expression(ABC):
    """Anything that has a value for each subject."""

    @abstractmethod
    def value(self, given: Given) -> Value:
        """The value of each subject."""

    @property
    def parts(self) -> tuple["Expression", ...]:
        """The expressions this one is made of."""
        found = (getattr(self, one.name) for one in fields(self))  # type: ignore[arg-type]
        return tuple(one for one in found if isinstance(one, Expression))

    def named(self, owner: str) -> "Expression":
        """The same with the name `owner` for what has none yet."""
        changed = {
            one.name: part.named(owner)
            for one in fields(self)  # type: ignore[arg-type]
            if isinstance(part := getattr(self, one.name), Expression)
        }
        return replace(self, **changed) if changed else self  # type: ignore[type-var]

    def walk(self) -> Iterator["Expression"]:
        """This expression and everything below it."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def __add__(self, other: Any) -> "Expression":
        return Operation("+", self, expressed(other))

    def __radd__(self, other: Any) -> "Expression":
        return Operation("+", expressed(other), self)

    def __sub__(self, other: Any) -> "Expression":
        return Operation("-", self, expressed(other))

    def __rsub__(self, other: Any) -> "Expression":
        return Operation("-", expressed(other), self)

    def __mul__(self, other: Any) -> "Expression":
        return Operation("*", self, expressed(other))

    def __rmul__(self, other: Any) -> "Expression":
        return Operation("*", expressed(other), self)

    def __truediv__(self, other: Any) -> "Expression":
        return Operation("/", self, expressed(other))

    def __rtruediv__(self, other: Any) -> "Expression":
        return Operation("/", expressed(other), self)

    def __pow__(self, other: Any) -> "Expression":
        return Operation("**", self, expressed(other))

    def __neg__(self) -> "Expression":
        return Operation("*", Constant(-1.0), self)

    def __lt__(self, other: Any) -> "Expression":
        return Comparison("<", self, expressed(other))

    def __le__(self, other: Any) -> "Expression":
        return Comparison("<=", self, expressed(other))

    def __gt__(self, other: Any) -> "Expression":
        return Comparison(">", self, expressed(other))

    def __ge__(self, other: Any) -> "Expression":
        return Comparison(">=", self, expressed(other))


@dataclass(frozen=True)
class Constant(Expression):
    """A number that is not estimated."""

    number: float

    def value(self, given: Given) -> Value:
        return self.number


@dataclass(frozen=True)
class Theta(Expression):
    """A fixed effect: its initial estimate, bounds, and the scale on which it is estimated.

    `transform`: "log" (theta = lower + exp(x), lower 0 unless given), "logit" (between both bounds), "identity"
    (no bounds). None: the one that its bounds ask for. A theta without a name takes that of the parameter it is
    written for. `fixed`: not estimated.

    Raises `InputError` when the initial estimate lies outside the bounds or the transform does not fit them.
    """

    initial: Number
    name: str = ""
    lower: Number = -float("inf")
    upper: Number = float("inf")
    transform: Literal["log", "logit", "identity", "signed"] | None = None
    fixed: bool = False

    def __post_init__(self) -> None:
        self.scale()

    def scale(self) -> Transform:
        """The transform between this theta and the unconstrained number an optimiser moves."""
        return chosen(self.transform, self.initial, self.lower, self.upper, self.name, self.fixed)

    def value(self, given: Given) -> Value:
        return given.values[self.name]

    def named(self, owner: str) -> "Theta":
        return self if self.name else replace(self, name=owner)


@dataclass(frozen=True)
class Covariate(Expression):
    """A column of the data, by the name it has there; it may change with time."""

    name: str

    def value(self, given: Given) -> Value:
        return given.covariates[self.name]

    def equals(self, level: str | Number) -> "Level":
        """1 where the covariate is `level`, else 0."""
        return Level(self.name, level)


def level_name(level: object) -> str:
    """What a level is called: of one that is coded by numbers, 1 and 1.0 are the same."""
    return str(int(level)) if isinstance(level, float) and level.is_integer() else str(level)


@dataclass(frozen=True)
class Level(Expression):
    """1 where the categorical covariate `covariate` is `level`, else 0."""

    covariate: str
    level: str | Number

    @property
    def column(self) -> str:
        """Name of the column of zeros and ones."""
        return f"{self.covariate}={self.level}"

    def value(self, given: Given) -> Value:
        return given.covariates[self.column]


_OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FUNCTIONS: Mapping[str, Callable[[Any], Array]] = {"exp": jnp.exp, "log": jnp.log, "expit": jax.nn.sigmoid}


@dataclass(frozen=True)
class Operation(Expression):
    """`left symbol right`."""

    symbol: str
    left: Expression
    right: Expression

    def value(self, given: Given) -> Value:
        left, right = aligned(self.left.value(given), self.right.value(given))
        return _OPERATIONS[self.symbol](left, right)


@dataclass(frozen=True)
class Comparison(Expression):
    """1 where it holds, else 0; between covariates and constants only, for a step has no gradient."""

    symbol: str
    left: Expression
    right: Expression

    def __post_init__(self) -> None:
        for part in self.walk():
            if not isinstance(part, Covariate | Constant | Operation | Comparison | Level | Function):
                raise InputError(
                    f"'{self.symbol}' compares a value that is estimated: the objective would jump there; compare "
                    "covariates with numbers"
                )

    def value(self, given: Given) -> Value:
        left, right = aligned(self.left.value(given), self.right.value(given))
        return jnp.where(_COMPARISONS[self.symbol](left, right), 1.0, 0.0)


@dataclass(frozen=True)
class Function(Expression):
    """`symbol(argument)`, symbol one of exp, log, expit."""

    symbol: str
    argument: Expression

    def value(self, given: Given) -> Value:
        return _FUNCTIONS[self.symbol](self.argument.value(given))


def exp(argument: Expression) -> Expression:
    """e to the power of an expression."""
    return Function("exp", argument)


def log(argument: Expression) -> Expression:
    """Natural logarithm of an expression."""
    return Function("log", argument)


def expit(argument: Expression) -> Expression:
    """1 / (1 + exp(-argument)): from the logit scale to (0, 1)."""
    return Function("expit", argument)


def fixed(value: Number, name: str = "") -> Theta:
    """A value that is not estimated, where a number would be an initial estimate."""
    return Theta(float(value), name=name, fixed=True)


def expressed(value: Any) -> Expression:
    """A number inside arithmetic as a constant. Raises `InputError` for anything else."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{value!r} is neither a number nor made of Theta, Covariate and numbers")
    return Constant(float(value))


def aligned(left: Value, right: Value) -> tuple[Value, Value]:
    """Values `[subject]` beside values `[record, subject]`, given the axis they lack."""
    short, long = sorted((jnp.ndim(left), jnp.ndim(right)))
    if short == 1 and long == 2:
        return tuple(jnp.asarray(one)[None] if jnp.ndim(one) == 1 else one for one in (left, right))  # type: ignore[return-value]
    return left, right
