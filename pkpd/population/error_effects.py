"""Random effects on the parameters of an error model: which there may be."""

from collections.abc import Mapping

from pkpd.errors import InputError
from pkpd.population.expression import Expression
from pkpd.population.individual import Random
from pkpd.population.residual import Residual, UserDensity


def check_effects(endpoint: str, residual: Residual, parameters: Mapping[str, Expression]) -> None:
    """Raise `InputError` on random effects that nothing would heed; those of a scale are, but between occasions."""
    for label, one in parameters.items():
        varying = [part for part in one.walk() if isinstance(part, Random)]
        if varying and isinstance(residual.scale, UserDensity):
            raise InputError(f"'{endpoint}.{label}': parameters of a UserDensity have no random effects; leave it out")
        if any(part.occasion_spread is not None for part in varying):
            raise InputError(f"'{endpoint}.{label}': errors do not vary between occasions; leave occasion_sd out")
