"""Priors written in a run file as numpyro distributions."""

from math import log
from typing import Any

from pkpd.errors import InputError
from pkpd.population.transform import inverse_normal_scale
from pkpd.runs.written import PriorDistribution

_TAKES = {
    "normal": ("mean", "sd"),
    "lognormal": ("median", "cv"),
    "halfnormal": ("sd",),
    "gamma": ("shape", "rate"),
    "beta": ("a", "b"),
    "uniform": ("low", "high"),
}


def distribution(said: PriorDistribution) -> Any:
    """The distribution of the reported value.

    | distribution | takes |
    |---|---|
    | normal | mean, sd |
    | lognormal | median, and cv of the value: sd of the logarithm sqrt(log(1 + cv^2)) |
    | halfnormal | sd |
    | gamma | shape, rate |
    | beta | a, b |
    | uniform | low, high |

    Raises `InputError` on a number that is missing, of no use, or out of range.
    """
    takes = _TAKES[said.distribution]
    given = said.model_fields_set - {"distribution"}
    if given != set(takes):
        raise InputError(f"a {said.distribution} takes {', '.join(takes)}; given: {', '.join(sorted(given)) or 'none'}")
    first, *rest = (float(getattr(said, name)) for name in takes)
    second = rest[0] if rest else 1.0
    for name, value in zip(takes, (first, second), strict=False):
        if name not in ("mean", "low", "high") and not value > 0:
            raise InputError(f"{name} = {value:g}; it is larger than 0")
    if said.distribution == "uniform" and not first < second:
        raise InputError(f"low = {first:g} is not below high = {second:g}")
    import numpyro.distributions as d

    if said.distribution == "lognormal":
        return d.LogNormal(log(first), inverse_normal_scale(second))
    if said.distribution == "halfnormal":
        return d.HalfNormal(first)
    kinds = {"normal": d.Normal, "gamma": d.Gamma, "beta": d.Beta, "uniform": d.Uniform}
    return kinds[said.distribution](first, second)
