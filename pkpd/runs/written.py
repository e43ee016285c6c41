"""What a person writes in a run file, as TOML holds it; a key that is not known is an error."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Number = Annotated[float, Field(allow_inf_nan=False)]
Effect = Literal["power", "allometric", "exponential", "linear", "categorical"]
Variability = Literal["lognormal", "normal", "logitnormal", "boxcox"]
Error = Literal["additive", "proportional", "combined", "power", "exponential"]
Kind = Literal["log", "logit", "identity"]


class Section(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Value(Section):
    """A number that is estimated, from `initial`, unless it is `fixed`."""

    initial: Number
    fixed: bool = False
    name: str = ""
    lower: Number | None = None
    upper: Number | None = None
    transform: Kind | None = None


def _estimated(given: Any) -> Any:
    """A bare number where something is estimated is its initial estimate."""
    return {"initial": given} if isinstance(given, int | float) and not isinstance(given, bool) else given


def _constant(given: Any) -> Any:
    """A bare number inside a covariate's effect is a constant, as in arithmetic."""
    return (
        {"initial": given, "fixed": True} if isinstance(given, int | float) and not isinstance(given, bool) else given
    )


def _list(given: Any) -> Any:
    """TOML's arrays as the tuples that a frozen section holds."""
    return tuple(given) if isinstance(given, list) else given


def _triangle(given: Any) -> Any:
    """One number, or rows of numbers, which are told as one thing where they are neither."""
    rows = given if isinstance(given, list) else [given]
    numbers = [one for row in rows for one in (row if isinstance(row, list) else [row])]
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers) or (
        isinstance(given, list) and not all(isinstance(row, list) for row in given)
    ):
        raise ValueError("one number for all pairs, or the rows below the diagonal, [[0.1], [0.1, 0.2]] for three")
    return tuple(map(tuple, given)) if isinstance(given, list) else given


Estimated = Annotated[Value, BeforeValidator(_estimated)]
Constant = Annotated[Value, BeforeValidator(_constant)]
Names = Annotated[tuple[str, ...], BeforeValidator(_list)]


class CovariateEffect(Section):
    """A factor of the typical value: `exponent` of power and allometric, `slope` of exponential and linear, `changes`
    of a categorical covariate by level."""

    covariate: str
    effect: Effect
    reference: Number | None = None
    exponent: Constant | None = None
    slope: Constant | None = None
    changes: Mapping[str, Constant] | None = None


class ModelParameter(Section):
    """A parameter of the model: typical value, how it varies, covariates, and whether the literature is its prior."""

    initial: Number | None = None
    fixed: bool = False
    lower: Number | None = None
    upper: Number | None = None
    transform: Kind | None = None
    variability: Variability | None = None
    sd: Estimated | None = None
    cv: Estimated | None = None
    occasion_sd: Estimated | None = None
    site_sd: Estimated | None = None
    shape: Estimated | None = None
    covariates: Annotated[tuple[CovariateEffect, ...], BeforeValidator(_list)] = ()
    literature: bool = False


class OmegaBlock(Section):
    """Effects that correlate (`correlation`: one number, or rows below the diagonal), or share the block `same_as`."""

    effects: Names
    correlation: Annotated[Number | tuple[tuple[Number, ...], ...], BeforeValidator(_triangle)] = 0.1
    fixed: bool = False
    same_as: Names | None = None


class EndpointError(Section):
    """The residual error of an endpoint."""

    error: Error
    sd: Estimated | None = None
    additive: Estimated | None = None
    proportional: Estimated | None = None
    adding: Literal["variances", "sds"] | None = None
    power: Estimated | None = None
    student_t: Number | None = None
    transform: Literal["log", "logit", "box-cox"] | None = None
    lower: Number = 0.0
    upper: Number = 1.0
    shape: Estimated | None = None
    below: Literal["M1", "M3", "M4"] | None = None


class PriorDistribution(Section):
    """A distribution of the value as it is reported."""

    distribution: Literal["normal", "lognormal", "halfnormal", "gamma", "beta", "uniform"]
    mean: Number | None = None
    median: Number | None = None
    sd: Number | None = None
    cv: Number | None = None
    shape: Number | None = None
    rate: Number | None = None
    a: Number | None = None
    b: Number | None = None
    low: Number | None = None
    high: Number | None = None


class Method(Section):
    """How the fit is computed; the command line counts for more."""

    method: Literal["fo", "foce", "focei", "laplace", "agq"] = "focei"
    nodes: int = Field(default=1, ge=1)
    starts: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**32)
    covariance: Literal["sandwich", "R", "S", "none"] = "sandwich"
    solver: str = "auto"
    rtol: Number | None = None
    atol: Number | None = None
    max_steps: int | None = None


class RunFile(Section):
    """The whole file."""

    model: str
    parent: str = ""
    description: str = ""
    data: Mapping[str, Any] = Field(default_factory=dict)
    parameters: Mapping[str, Annotated[ModelParameter, BeforeValidator(_estimated)]]
    omega: Annotated[tuple[OmegaBlock, ...], BeforeValidator(_list)] = ()
    occasion_omega: Annotated[tuple[OmegaBlock, ...], BeforeValidator(_list)] = ()
    site_omega: Annotated[tuple[OmegaBlock, ...], BeforeValidator(_list)] = ()
    site: str = "SITE"
    residual: Mapping[str, EndpointError]
    priors: Mapping[str, PriorDistribution] = Field(default_factory=dict)
    method: Method = Method()
