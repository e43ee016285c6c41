"""Standardised residuals, e = (y - m)/s: their densities, and distribution functions that keep their digits in
the tails."""

from dataclasses import dataclass
from functools import partial
from math import lgamma, log, pi

import jax
import jax.numpy as jnp
from jax.scipy.special import betainc, log_ndtr
from jaxtyping import Array

from pkpd.errors import InputError
from pkpd.population.transform import Number


@dataclass(frozen=True)
class Gaussian:
    """e ~ N(0, 1)."""

    def information(self, above: Array | None) -> tuple[Array | float, Array | float, Array | float]:
        """Expected information on (m/s, m/s), (m/s, log s), (log s, log s): what FOCE puts in place of second
        derivatives. `above` = m/s: that of e given e > -m/s, the covariance of e and e^2 there."""
        if above is None:
            return 1.0, 0.0, 2.0
        rate = jnp.exp(self.log_density(above) - log_ndtr(above))
        square = 1.0 - above * rate
        fourth = 3.0 * square - above**3 * rate
        return square - rate**2, rate * (1.0 + above**2 + above * rate), fourth - square**2

    def log_density(self, e: Array) -> Array:
        """log phi(e) = -e^2/2 - log(2 pi)/2."""
        return -0.5 * e**2 - 0.5 * log(2 * pi)

    def log_below(self, e: Array) -> Array:
        """log P(E < e)."""
        return log_ndtr(e)


@dataclass(frozen=True)
class StudentT:
    """e ~ t with `degrees` of freedom (a constant), s its scale and not its SD."""

    degrees: Number

    def __post_init__(self) -> None:
        if not self.degrees > 0:
            raise InputError(f"a t-distribution has more than 0 degrees of freedom, not {self.degrees:g}")

    def information(self, above: Array | None) -> tuple[Number, Number, Number]:
        """(v + 1)/(v + 3), 0 and 2 v/(v + 3), also where e is known to be above something. Lange, Little and Taylor
        1989, doi:10.1080/01621459.1989.10478852."""
        v = self.degrees
        return (v + 1) / (v + 3), 0.0, 2 * v / (v + 3)

    def log_density(self, e: Array) -> Array:
        """log of Gamma((v+1)/2) / (Gamma(v/2) sqrt(v pi)) (1 + e^2/v)^(-(v+1)/2)."""
        v = self.degrees
        return lgamma((v + 1) / 2) - lgamma(v / 2) - 0.5 * log(v * pi) - (v + 1) / 2 * jnp.log1p(e**2 / v)

    def log_below(self, e: Array) -> Array:
        """log P(E < e)."""
        return _log_t_below(e, float(self.degrees))


Noise = Gaussian | StudentT


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _log_t_below(e: Array, degrees: float) -> Array:
    tail = 0.5 * betainc(degrees / 2, 0.5, degrees / (degrees + e**2))
    # Each side by the branch that keeps its digits; both are finite everywhere.
    return jnp.where(e < 0, jnp.log(tail), jnp.log1p(-tail))


@_log_t_below.defjvp
def _log_t_below_rule(degrees: float, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    value = _log_t_below(primals[0], degrees)
    return value, jnp.exp(StudentT(degrees).log_density(primals[0]) - value) * tangents[0]


def log_between(noise: Noise, low: Array, high: Array, no_low: Array, no_high: Array) -> Array:
    """log P(low < E < high); without a low end where `no_low`, without a high one where `no_high`.

    The pair is mirrored to the left tail, where log P(E < e) keeps its digits, and the difference taken there:
    log P(E < b) + log(1 - exp(log P(E < a) - log P(E < b))). Ends that do not count must be finite nevertheless:
    an infinite one would spoil the derivative.
    """
    mirror = ~no_low & (no_high | (low + high > 0))
    a, b = jnp.where(mirror, -high, low), jnp.where(mirror, -low, high)
    no_a, no_b = jnp.where(mirror, no_high, no_low), jnp.where(mirror, no_low, no_high)
    below_b = jnp.where(no_b, 0.0, noise.log_below(jnp.where(no_b, 0.0, b)))
    below_a = noise.log_below(jnp.where(no_a, -1.0, a))
    gap = jnp.where(no_a, -1.0, below_a - below_b)
    return below_b + jnp.where(no_a, 0.0, jnp.log(-jnp.expm1(gap)))
