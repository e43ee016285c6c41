"""Priors on anything that is estimated, as numpyro distributions of the value a person reads.

    penalty = -2 sum log p(value)

on the natural scale: a MAP estimate is the mode of the posterior density of `cl`, `omega.cl` and so on, not of
their logarithms. No Jacobian of the packing enters.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.errors import InputError
from pkpd.literature import Prior
from pkpd.population.transform import inverse_normal_scale

Distribution = Any
"""A `numpyro.distributions.Distribution` of one number."""


def literature_prior(prior: Prior) -> Distribution:
    """How well the literature knows a typical value: log-normal around it, with its `uncertainty_cv`."""
    from numpyro.distributions import LogNormal

    return LogNormal(jnp.log(prior.typical), inverse_normal_scale(prior.uncertainty_cv))


def checked(priors: Mapping[str, Distribution], known: Mapping[str, bool]) -> dict[str, Distribution]:
    """`priors`, if each is a distribution of one number and belongs to something in `known` (name: is estimated).

    Raises `InputError` otherwise: a prior is never passed over.
    """
    for name, prior in priors.items():
        if name not in known:
            raise InputError(f"prior of '{name}': nothing is called so; there are {', '.join(known)}")
        if not known[name]:
            raise InputError(f"prior of '{name}': it is fixed, and the prior would do nothing; leave one of them out")
        if not hasattr(prior, "log_prob"):
            raise InputError(f"prior of '{name}': {prior!r} is no distribution of numpyro")
        if tuple(prior.batch_shape) or tuple(prior.event_shape):
            raise InputError(f"prior of '{name}': a distribution of one number is needed, not of several")
    return dict(priors)


def penalty(priors: Mapping[str, Distribution], summary: Mapping[str, Array]) -> Float[Array, ""]:
    """-2 log density of the priors at the values in `summary`, constants included; 0 without priors."""
    terms = [-2.0 * prior.log_prob(summary[name]) for name, prior in priors.items()]
    return sum(terms, start=jnp.zeros(()))
