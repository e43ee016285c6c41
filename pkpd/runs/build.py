"""From what a run file says to the population, model and data that a fit takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from pkpd.dataset.dataset import Dataset
from pkpd.dataset.declaration import declared
from pkpd.dataset.read import read_dataset_as
from pkpd.errors import InputError
from pkpd.literature import Prior, joined
from pkpd.models.model import Model
from pkpd.population import covariate_effects as effects
from pkpd.population.expression import Covariate, Expression, Theta
from pkpd.population.individual import BoxCox, LogitNormal, LogNormal, Normal, initial_estimate
from pkpd.population.noise import StudentT
from pkpd.population.omega import Block, Same
from pkpd.population.population import Population
from pkpd.population.priors import assumed, prior_of
from pkpd.population.residual import (
    Additive,
    BelowLimit,
    Combined,
    Power,
    Proportional,
    Residual,
    TransformBothSides,
    exponential,
)
from pkpd.runs.covariates import doubts, refuse_namesakes
from pkpd.runs.distributions import distribution
from pkpd.runs.file import Written
from pkpd.runs.mistakes import Mistakes, closest
from pkpd.runs.model_source import find_model
from pkpd.runs.written import CovariateEffect, EndpointError, ModelParameter, OmegaBlock, Value

_NEEDS = {
    "additive": ("sd",),
    "proportional": ("sd",),
    "combined": ("additive", "proportional", "adding"),
    "power": ("sd", "power"),
    "exponential": ("sd",),
}
_EFFECT_NEEDS = {
    "power": ("reference", "exponent"),
    "allometric": ("exponent",),
    "exponential": ("reference", "slope"),
    "linear": ("reference", "slope"),
    "categorical": ("changes",),
}


@dataclass(frozen=True)
class Built:
    """What a fit takes, made of a run file and a table. `assumptions`: priors that rest on no facts, in words. `told`:
    what of its covariates a person should see."""

    model: Model
    population: Population
    dataset: Dataset
    assumptions: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


def build(written: Written, table: Path) -> Built:
    """Model, population and checked data. Raises `InputError` with all mistakes of the file at once."""
    said, mistakes = written.said, Mistakes(written.path.name)
    for place, wrong in written.misspelt:
        mistakes.add(place, wrong)
    with mistakes.at("data"):
        declared(said.data)
    model = None
    if "model" not in written.unclear:
        with mistakes.at("model"):
            model = find_model(said.model, written.path.parent)
    if model is None:
        mistakes.tell()
        raise InputError(f"{written.path.name}: no model")
    population = _population(written, model, mistakes)
    mistakes.tell()
    if population is None:
        raise InputError(f"{written.path.name}: no population")
    known = joined(model.literature)
    weak = (assumed(known[name]) for name, one in said.parameters.items() if one.literature)
    dataset = read_dataset_as(table, said.data)
    told = doubts(said.parameters, dataset, mistakes)
    mistakes.tell()
    return Built(model, population, dataset, tuple(one for one in weak if one), told)


def _population(written: Written, model: Model, mistakes: Mistakes) -> Population | None:
    said = written.said
    known = joined(model.literature)
    for name in written.names("parameters"):
        if name not in model.symbols:
            mistakes.add(f"parameters.{name}", f"'{model.name}' has no such parameter; {closest(name, model.symbols)}")
    for name in model.symbols:
        if name not in written.names("parameters") and "parameters" not in written.unclear:
            mistakes.add(
                f"parameters.{name}", "is missing; give its initial estimate, or { initial = .., fixed = true }"
            )
    for name in written.names("residual"):
        if name not in model.outputs:
            mistakes.add(f"residual.{name}", f"'{model.name}' has no such output; {closest(name, model.outputs)}")
    parameters, residual, priors = {}, {}, {}
    for name, one in said.parameters.items():
        with mistakes.at(f"parameters.{name}"):
            parameters[name] = _parameter(name, one, known)
            if one.literature:
                priors[name] = prior_of(known[name])
    for name, one in said.residual.items():
        with mistakes.at(f"residual.{name}"):
            residual[name] = _residual(one)
    for name, one in said.priors.items():
        with mistakes.at(f"priors.{name}"):
            if name in priors:
                raise InputError("the literature is its prior already; leave one of the two out")
            priors[name] = distribution(one)
    if mistakes.found:
        return None
    with mistakes.at(""):
        return Population(
            parameters,
            residual,
            _blocks(said.omega),
            _blocks(said.occasion_omega),
            _blocks(said.site_omega),
            said.site,
            priors,
        )
    return None


def _theta(one: Value, transform: Any = None) -> Theta:
    bounded = one.lower is not None or one.upper is not None
    return Theta(
        one.initial,
        name=one.name,
        lower=-inf if one.lower is None else one.lower,
        upper=inf if one.upper is None else one.upper,
        transform=one.transform or (None if bounded else transform),
        fixed=one.fixed,
    )


def _optional(one: Value | None) -> Theta | None:
    return None if one is None else _theta(one)


def _parameter(name: str, said: ModelParameter, known: Mapping[str, Prior]) -> Expression:
    if said.literature and name not in known:
        raise InputError(f"the literature of this model has no '{name}'; {closest(name, known)}")
    if said.literature and said.fixed:
        raise InputError("it is fixed, and a prior from the literature would do nothing; leave one of them out")
    initial = said.initial if said.initial is not None or not said.literature else known[name].typical
    if initial is None:
        raise InputError("has no initial; give initial = .., or literature = true")
    number = Value(initial=initial, fixed=said.fixed, lower=said.lower, upper=said.upper, transform=said.transform)
    kind = said.variability
    spreads = {label: getattr(said, label) for label in ("sd", "cv", "occasion_sd", "site_sd")}
    given = [label for label, one in spreads.items() if one is not None]
    if (kind is None) != (not given):
        have = f"{', '.join(given)} without variability" if given else f"variability = '{kind}' without sd"
        raise InputError(f"{have}; give both, for example variability = 'lognormal' and cv = 0.3")
    if said.cv is not None and kind != "lognormal":
        raise InputError("cv is for variability = 'lognormal'; give sd")
    if (said.shape is not None) and kind != "boxcox":
        raise InputError("shape is for variability = 'boxcox'")
    scale = {"lognormal": "log", "boxcox": "log", "normal": "identity", "logitnormal": "logit"}.get(kind or "")
    if kind is None:
        scale = initial_estimate(initial).transform
    low, high = 0.0 if said.lower is None else said.lower, 1.0 if said.upper is None else said.upper
    if kind == "logitnormal":
        if not low < initial < high:
            raise InputError(
                f"the initial estimate {initial:g} of a logitnormal parameter is not between lower = {low:g} and "
                f"upper = {high:g} (0 and 1 unless said)"
            )
        number = number.model_copy(update={"lower": low, "upper": high})
    typical: Expression = _theta(number, scale)
    for i, one in enumerate(said.covariates):
        typical = typical * _effect(name, i, one)
    refuse_namesakes(typical)
    sd, cv, occasion, site = (_optional(one) for one in spreads.values())
    if kind is None:
        return typical
    if kind == "lognormal":
        return LogNormal(typical, sd, occasion, site, cv=cv)
    if kind == "normal":
        return Normal(typical, sd, occasion, site)
    if kind == "logitnormal":
        return LogitNormal(typical, sd, occasion, site, lower=low, upper=high)
    return BoxCox(typical, sd, occasion, site, shape=0.1 if said.shape is None else _theta(said.shape))


def _effect(parameter: str, place: int, said: CovariateEffect) -> Expression:
    where, needs = f"covariates.{place}: {said.effect}", _EFFECT_NEEDS[said.effect]
    for key in ("reference", "exponent", "slope", "changes"):
        given = getattr(said, key) is not None
        if key in needs and not given:
            raise InputError(f"{where} needs {key}")
        if given and key not in needs and not (said.effect == "allometric" and key == "reference"):
            raise InputError(f"{where} has no {key}; it takes {', '.join(needs)}")
    covariate, name = Covariate(said.covariate), f"{parameter}_{said.covariate}"
    if said.changes is not None:
        return effects.categorical(covariate, {k: _slope(f"{name}_{k}", one) for k, one in said.changes.items()})
    if said.exponent is not None:
        reference = 70.0 if said.reference is None else said.reference
        return effects.power(covariate, reference, _slope(name, said.exponent))
    slope, reference = said.slope, said.reference
    if slope is None or reference is None:
        raise InputError(f"{where} needs {', '.join(needs)}")
    shape = effects.exponential if said.effect == "exponential" else effects.linear
    return shape(covariate, reference, _slope(name, slope))


def _slope(name: str, said: Value) -> Expression | float:
    """A constant where it is fixed, else a theta with a name."""
    if said.fixed and (idle := sorted(said.model_fields_set - {"initial", "fixed"})):
        raise InputError(f"{name} = {said.initial:g} is fixed: leave out {', '.join(idle)}")
    return said.initial if said.fixed else _theta(said.model_copy(update={"name": said.name or name}), "identity")


def _residual(said: EndpointError) -> Residual:
    needs = _NEEDS[said.error]
    for key in ("sd", "additive", "proportional", "adding", "power"):
        given = getattr(said, key) is not None
        if given != (key in needs):
            raise InputError(
                f"error = '{said.error}' {'has no' if given else 'needs'} {key}; it takes {', '.join(needs)}"
            )
    model: Residual = _scale(said)
    if (said.shape is not None) != (said.transform == "box-cox"):
        raise InputError("shape goes with transform = 'box-cox', and that with shape")
    if said.transform != "logit" and {"lower", "upper"} & said.model_fields_set:
        raise InputError("lower and upper go with transform = 'logit'")
    if said.transform is not None:
        shape = None if said.shape is None else _theta(said.shape)
        model = model & TransformBothSides(said.transform, said.lower, said.upper, shape)
    if said.student_t is not None:
        model = model & StudentT(said.student_t)
    return model if said.below is None else model & BelowLimit(said.below)


def _scale(said: EndpointError) -> Residual:
    def part(one: Value | None) -> Any:
        if one is None:
            return None
        bare = one.model_fields_set == {"initial"}
        # A bare number is left to the error model, which knows on which scale it is estimated.
        return one.initial if bare else _theta(one, "signed" if said.adding == "variances" else "log")

    sd = part(said.sd)
    if said.error == "exponential":
        return exponential(sd)
    if said.error == "combined":
        return Residual(Combined(part(said.additive), part(said.proportional), said.adding or "variances"))
    if said.error == "power":
        return Residual(Power(sd, part(said.power)))
    return Residual(Additive(sd) if said.error == "additive" else Proportional(sd))


def _blocks(said: tuple[OmegaBlock, ...]) -> tuple[Block | Same, ...]:
    for one in said:
        if one.same_as is not None and (idle := sorted({"correlation", "fixed"} & one.model_fields_set)):
            raise InputError(
                f"omega of {', '.join(one.effects)}: same_as takes the block of {', '.join(one.same_as)} as it is; "
                f"leave out {' and '.join(idle)}"
            )
    return tuple(
        Block(one.effects, one.correlation, one.fixed) if one.same_as is None else Same(one.effects, one.same_as)
        for one in said
    )
