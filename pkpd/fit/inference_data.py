"""A fit as ArviZ takes it: draws from the normal distribution that the covariance step says the estimates have."""

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from pkpd.errors import InputError
from pkpd.fit.covariance import Uncertainty
from pkpd.fit.scalar import Vector
from pkpd.population.population import Population
from pkpd.population.randomness import standard_normal

CHAINS = 4
"""The draws are independent; they are dealt into chains because ArviZ's diagnostics compare chains."""


def asymptotic_draws(
    population: Population, x: Vector, uncertainty: Uncertainty | None, draws: int, seed: int
) -> xr.Dataset:
    """The group `posterior` of an InferenceData, dims (chain, draw).

    `draws` in each of 4 chains: x + L e with L L' the covariance and e ~ N(0, 1), read on the natural scale.

    Drawn where it is estimated (log, logit), so that a clearance stays positive. No posterior: an attribute of the
    result says that they are asymptotic. Raises `InputError` where the fit has no covariance.
    """
    if draws < 1:
        raise InputError(f"draws={draws}: give one or more")
    if uncertainty is None or not np.isfinite(uncertainty.covariance).all():
        raise InputError("this fit has no covariance of its estimates, so nothing can be drawn")
    # Not Cholesky: the sandwich of few subjects is only semidefinite.
    values, vectors = np.linalg.eigh(uncertainty.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    count = CHAINS * draws
    e = np.stack([standard_normal(seed, "drawn", one, count, -np.inf, np.inf) for one in uncertainty.names])
    placed = jnp.asarray(x[:, None] + root @ e)
    found = jax.jit(lambda placed: population.summary(population.packing.values(placed)))(placed)
    return xr.Dataset(
        {name: (("chain", "draw"), np.asarray(value).reshape(CHAINS, draws)) for name, value in found.items()},
        coords={"chain": np.arange(CHAINS), "draw": np.arange(draws)},
        attrs={"drawn": f"asymptotic normal, covariance {uncertainty.kind}; not a posterior sample"},
    )
