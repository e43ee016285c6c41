"""Priors on anything that is estimated, as numpyro distributions of the value a person reads.

    penalty = -2 sum log p(value)

on the natural scale: a MAP estimate is the mode of the posterior density of `cl`, `omega.cl` and so on, not of
their logarithms. No Jacobian of the packing enters.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.errors import InputError
from pkpd.literature import Prior, is_assumption, joined
from pkpd.models.model import Model
from pkpd.population.transform import inverse_normal_scale

Distribution = Any
"""A `numpyro.distributions.Distribution` of one number."""


class AssumptionWarning(UserWarning):
    """A prior rests on numbers that are no facts."""


def literature_prior(model: Model) -> dict[str, Distribution]:
    """A prior of each parameter of `model` that the literature knows, for `Population(priors=..)`.

    Those that are assumptions (grade C or D, from memory, or unknown) are announced by an `AssumptionWarning`.
    Raises `InputError` where the literature knows none.
    """
    known = joined(model.literature)
    found = {symbol: known[symbol] for symbol in model.symbols if symbol in known}
    if not found:
        raise InputError(f"the literature has no value for a parameter of '{model.name}'; give priors yourself")
    if weak := [assumed(prior) for prior in found.values() if assumed(prior)]:
        warnings.warn(f"priors of '{model.name}' that are assumptions: {'; '.join(weak)}", AssumptionWarning, 2)
    return {symbol: prior_of(prior) for symbol, prior in found.items()}


def assumed(prior: Prior) -> str:
    """What makes `prior` an assumption, in words; empty where it is none."""
    if not is_assumption(prior.status, prior.grade):
        return ""
    return f"{prior.symbol} (grade {prior.grade}, {prior.status})"


def prior_of(prior: Prior) -> Distribution:
    """How well the literature knows a typical value: log-normal around it, with its `uncertainty_cv`."""
    from numpyro.distributions import LogNormal

    return LogNormal(jnp.log(prior.typical), inverse_normal_scale(prior.uncertainty_cv))


def checked(given: Mapping[str, Distribution], known: Mapping[str, bool]) -> dict[str, Distribution]:
    """`given`, if each is a distribution of one number and belongs to something in `known` (name: is estimated).

    Raises `InputError` otherwise: a prior is never passed over.
    """
    for name, prior in given.items():
        if name not in known:
            raise InputError(f"prior of '{name}': nothing is called so; there are {', '.join(known)}")
        if not known[name]:
            raise InputError(f"prior of '{name}': it is fixed, and the prior would do nothing; leave one of them out")
        if not hasattr(prior, "log_prob"):
            raise InputError(f"prior of '{name}': {prior!r} is no distribution of numpyro")
        if tuple(prior.batch_shape) or tuple(prior.event_shape):
            raise InputError(f"prior of '{name}': a distribution of one number is needed, not of several")
    return dict(given)


def said(prior: Distribution) -> str:
    """A distribution by its kind and the parameters it is made of, by name: its own representation names neither, and
    the order of its leaves is another in each process."""
    if isinstance(prior, list | tuple):
        return str(list(map(said, prior)))
    if isinstance(prior, int | float | np.generic | np.ndarray | jax.Array):
        return str(np.asarray(prior).tolist())
    if not hasattr(prior, "__dict__"):
        return type(prior).__name__
    made = {name: value for name, value in vars(prior).items() if not isinstance(value, tuple)}
    return f"{type(prior).__name__}({', '.join(f'{name}={said(made[name])}' for name in sorted(made))})"


def identity(prior: Distribution) -> Any:
    """What is equal for two priors that are the same: all their numbers, or, where a class is not numpyro's own, the
    prior itself."""
    leaves, structure = jax.tree.flatten(prior)
    if not _of_numpyro(structure):
        return prior
    return structure, tuple((np.shape(leaf), np.asarray(leaf).tobytes()) for leaf in leaves)


def _of_numpyro(structure: Any) -> bool:
    """Whether a distribution, and all it is made of, keeps no number that its leaves do not show."""
    node = structure.node_data()
    known = node is None or node[0].__module__.partition(".")[0] in ("builtins", "numpyro")
    return known and all(_of_numpyro(part) for part in structure.children())


def ruled_out(given: Mapping[str, Distribution], summary: Mapping[str, Array]) -> dict[str, float]:
    """The values in `summary` that lie outside the support of their prior."""
    return {name: float(summary[name]) for name, prior in given.items() if not bool(prior.support(summary[name]))}


def penalty(given: Mapping[str, Distribution], summary: Mapping[str, Array]) -> Float[Array, ""]:
    """-2 log density of the priors of `given` at the values in `summary`, constants included; 0 without any."""
    terms = [-2.0 * prior.log_prob(summary[name]) for name, prior in given.items()]
    return sum(terms, start=jnp.zeros(()))
