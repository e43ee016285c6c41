"""The same population from other initial estimates, such as those of a simpler analysis."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from pkpd.population.expression import Expression, Theta
from pkpd.population.individual import LogNormal, Random
from pkpd.population.omega import Block, Part
from pkpd.population.population import Population
from pkpd.population.rewritten import rewritten_parameters, rewritten_residual

Matrix = Float[np.ndarray, "effect effect"]


def restarted(
    population: Population, thetas: Mapping[str, float], effects: tuple[str, ...], covariance: Matrix
) -> Population:
    """`population` with `thetas` (by name) and Omega between subjects (`covariance` of `effects`) to begin with.

    What is fixed stays; so do correlations that it does not have. Effects that share a block begin at the mean of
    their covariances. Raises `InputError` where a theta lies beyond its bounds.
    """
    place = {effect: i for i, effect in enumerate(effects)}
    parts = [part for part in population.between.parts if set(part.effects) <= set(place)]
    held = {one.name for one in population.packing.coordinates if one.fixed}
    begin: dict[str, Matrix] = {}
    for part in (one for one in parts if one.names[0][0] not in held):
        alike = [_of(one, place, covariance) for one in parts if one.names == part.names]
        begin |= {effect: np.mean(alike, axis=0) for effect in part.effects}
    sds = {
        effect: float(np.sqrt(begin[effect][i, i]))
        for part in parts
        for i, effect in enumerate(part.effects)
        if effect in begin
    }

    def change(part: Expression) -> Expression:
        if isinstance(part, Theta) and not part.fixed:
            return replace(part, initial=float(thetas.get(part.name, part.initial)))
        return spread_by(part, Theta(sds[part.name])) if isinstance(part, Random) and part.name in sds else part

    def block(one: Any) -> Any:
        if not isinstance(one, Block) or one.effects[0] not in begin:
            return one
        return replace(one, correlation=_below_diagonal(begin[one.effects[0]]))

    return replace(
        population,
        parameters=rewritten_parameters(population, change),
        residual=rewritten_residual(population, change),
        omega=tuple(block(one) for one in population.omega),
    )


def spread_by(random: Random, sd: Theta) -> Random:
    """The same random effect with another SD between subjects."""
    return replace(random, sd=sd, cv=None) if isinstance(random, LogNormal) else replace(random, sd=sd)


def _of(part: Part, place: Mapping[str, int], covariance: Matrix) -> Float[np.ndarray, "own own"]:
    rows = np.array([place[effect] for effect in part.effects])
    return covariance[rows[:, None], rows[None]]


def _below_diagonal(covariance: Matrix) -> tuple[tuple[float, ...], ...]:
    sd = np.sqrt(np.diag(covariance))
    correlation = covariance / (sd[:, None] * sd[None])
    return tuple(tuple(correlation[i, :i].tolist()) for i in range(1, len(sd)))
