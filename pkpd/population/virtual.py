"""Virtual patients: who they are, and what the literature says their parameters may be."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pkpd.literature import Covariate, Prior, joined
from pkpd.models.model import Model, Parameter
from pkpd.population.randomness import standard_normal

Column = Float[np.ndarray, " subject"]


@dataclass(frozen=True)
class Patients:
    """Demographics, one number a subject: female (1 or 0), age [y], weight [kg], height [cm], bsa [m2]."""

    female: Column
    age: Column
    weight: Column
    height: Column
    bsa: Column

    @property
    def count(self) -> int:
        return len(self.weight)


def body_surface_area(height: Column, weight: Column) -> Column:
    """BSA [m2] = sqrt(height [cm] weight [kg] / 3600). Mosteller 1987, doi:10.1056/NEJM198710223171717."""
    return np.sqrt(height * weight / 3600.0)


def draw_patients(distributions: Mapping[str, Covariate], count: int, seed: int) -> Patients:
    """`count` patients: each covariate normal, cut at its bounds; the covariates independent of each other."""

    def drawn(name: str) -> Column:
        c = distributions[name]
        if c.sd is None:
            return (_uniform_rank(seed, name, count) < c.mean).astype(float)
        low = -np.inf if c.lower is None else (c.lower - c.mean) / c.sd
        high = np.inf if c.upper is None else (c.upper - c.mean) / c.sd
        return c.mean + c.sd * standard_normal(seed, "patients", name, count, low, high)

    weight, height = drawn("weight"), drawn("height")
    return Patients(
        female=drawn("female"),
        age=drawn("age"),
        weight=weight,
        height=height,
        bsa=body_surface_area(height, weight),
    )


def literature_of(model: Model) -> dict[str, Prior]:
    """The literature priors of all parameters of `model`, by symbol."""
    return joined(model.literature)


def typical_values(known: Mapping[str, Prior]) -> dict[str, float]:
    """The typical value of each parameter."""
    return {symbol: prior.typical for symbol, prior in known.items()}


def draw_typical_values(model: Model, known: Mapping[str, Prior], count: int, seed: int) -> dict[str, Column]:
    """`count` guesses at the typical values, spread as the literature's uncertainty: each `[count]`."""
    return {
        parameter.symbol: _vary(
            parameter,
            np.full(count, known[parameter.symbol].typical),
            known[parameter.symbol].uncertainty_cv,
            standard_normal(seed, "typical values", parameter.symbol, count),
        )
        for parameter in model.parameters
    }


def draw_parameters(
    model: Model, known: Mapping[str, Prior], typical: Mapping[str, float], patients: Patients, seed: int
) -> dict[str, Column]:
    """Individual parameters of `patients` around `typical`.

        individual = typical (weight / reference)^exponent exp(eta),   eta ~ N(0, log(1 + cv^2))

    and on the logit scale, with SD cv / (1 - typical), for parameters bounded by 0 and 1. Patient i has the same
    eta whatever the typical values are.
    """
    drawn = {}
    for parameter in model.parameters:
        prior = known[parameter.symbol]
        centre = np.full(patients.count, float(typical[parameter.symbol]))
        if prior.allometry is not None:
            centre = centre * (patients.weight / prior.allometry.reference_weight) ** prior.allometry.exponent
        eta = standard_normal(seed, "parameters", parameter.symbol, patients.count)
        drawn[parameter.symbol] = _vary(parameter, centre, prior.bsv_cv or 0.0, eta)
    return drawn


def _vary(parameter: Parameter, centre: Column, cv: float, z: Column) -> Column:
    if parameter.transform == "logit":
        logit = np.log(centre / (1.0 - centre)) + cv / (1.0 - centre) * z
        return 1.0 / (1.0 + np.exp(-logit))
    return centre * np.exp(np.sqrt(np.log1p(cv**2)) * z)


def _uniform_rank(seed: int, name: str, count: int) -> Column:
    """Uniform numbers in (0, 1), from the standard normal ones."""
    from scipy.special import ndtr

    return ndtr(standard_normal(seed, "patients", name, count))
