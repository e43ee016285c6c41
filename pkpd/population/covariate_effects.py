"""The usual effects of covariates, as factors to multiply a parameter with.

Numbers are constants here, as everywhere in arithmetic; what is estimated is a `Theta` with a name.
"""

from collections.abc import Mapping

from pkpd.population.expression import Constant, Covariate, Expression, exp, expressed
from pkpd.population.transform import Number


def power(covariate: Expression, reference: Number, exponent: Expression | Number) -> Expression:
    """(covariate / reference)^exponent."""
    return (covariate / reference) ** expressed(exponent)


def allometric(weight: Expression, exponent: Expression | Number, reference: Number = 70.0) -> Expression:
    """(weight / reference)^exponent: 0.75 for clearances, 1 for volumes; the reference is 70 kg."""
    return power(weight, reference, exponent)


def exponential(covariate: Expression, reference: Number, slope: Expression | Number) -> Expression:
    """exp(slope (covariate - reference))."""
    return exp(expressed(slope) * (covariate - reference))


def linear(covariate: Expression, reference: Number, slope: Expression | Number) -> Expression:
    """1 + slope (covariate - reference)."""
    return 1.0 + expressed(slope) * (covariate - reference)


def categorical(covariate: Covariate, changes: Mapping[str | Number, Expression | Number]) -> Expression:
    """1 + change of the subject's level; 1 for the levels not named."""
    factor: Expression = Constant(1.0)
    for level, change in changes.items():
        factor = factor + expressed(change) * covariate.equals(level)
    return factor
