"""The log-density of the observations of an endpoint, given predictions; the one place that has one.

An observation depends on the random effects through two numbers, its location m and the logarithm of its scale
s. What an estimator needs beside the density is its curvature in these two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from pkpd.population.noise import Gaussian, log_between
from pkpd.population.residual import Residual, UserDensity

Grid = Float[Array, "observation subject"]
Mask = Bool[Array, "observation subject"]
NOTHING = 1e-40
"""A prediction below this is none, as before a lag: whatever was not measured is then below its limit for certain."""

Leaf = Any
"""An array `[observation, subject]`; while JAX differentiates, whatever it puts in the place of one."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Observations:
    """Observations of one endpoint, on the grid of all observations.

    `value` where `measured`; elsewhere it lies between `low` and `high`, which may be infinite. Rows that are
    not `scored` belong to another endpoint, or to nobody.
    """

    value: Leaf
    low: Leaf
    high: Leaf
    measured: Leaf
    scored: Leaf


@dataclass(frozen=True)
class Endpoint:
    """The likelihood of one endpoint. `censored`: whether any observation of it lies beyond a limit."""

    residual: Residual
    censored: bool

    @property
    def truncated(self) -> bool:
        """Whether observations are those of something positive."""
        return self.residual.below is not None and self.residual.below.method == "M4"

    def location(self, f: Grid, observed: Observations, p: Mapping[str, Array]) -> Grid:
        """m: the prediction, transformed where both sides are; a harmless number where nothing is scored."""
        transformation = self.residual.transformation
        # A value that is not used must not meet a logarithm either: its derivative would spoil the others'.
        f = jnp.where(observed.scored, f, 1.0 if transformation is None else transformation.inside)
        if self.censored and self.residual.vanishes:
            none = observed.scored & ~observed.measured & (jnp.abs(f) < NOTHING)
            f = jnp.where(none, NOTHING, f)
        return f if transformation is None else transformation.apply(f, p.get("shape", 0.0))

    def log_scale(self, m: Grid, p: Mapping[str, Array]) -> Grid:
        """log s at the location m; 0 for a density that has no scale."""
        if isinstance(self.residual.scale, UserDensity):
            return jnp.zeros_like(m)
        return self.residual.scale.log_scale(m, p)

    def log_density(self, m: Grid, log_s: Grid, observed: Observations, p: Mapping[str, Array]) -> Grid:
        """log p of every row, 0 where it is not scored; probabilities where it was not measured."""
        residual, scored = self.residual, observed.scored
        if isinstance(residual.scale, UserDensity):
            density = residual.scale.log_density(jnp.where(scored, observed.value, 1.0), m, p)
            return jnp.where(scored, density, 0.0)
        used = scored & observed.measured
        e = self.standardised(m, log_s, observed, p)
        density = residual.noise.log_density(e) - log_s + self._log_slope(observed.value, used, p)
        # Nothing scatters around a prediction without error: what was measured beside it is impossible.
        density = jnp.where(used & jnp.isneginf(log_s), -jnp.inf, density)
        if self.censored:
            density = jnp.where(observed.measured, density, self._between(observed.low, observed.high, m, log_s, p))
        if self.truncated:
            zero, none = -m * jnp.exp(-log_s), jnp.zeros_like(scored)
            density = density - log_between(residual.noise, zero, zero, none, ~none)
        return jnp.where(scored, density, 0.0)

    def standardised(self, m: Grid, log_s: Grid, observed: Observations, p: Mapping[str, Array]) -> Grid:
        """(h(y) - m)/s of the measured rows; elsewhere a number without meaning."""
        used = observed.scored & observed.measured
        return (self._moved(observed.value, used, p) - m) * jnp.exp(-log_s)

    def information(
        self, m: Grid, log_s: Grid, observed: Observations, p: Mapping[str, Array]
    ) -> tuple[Grid, Grid, Grid]:
        """Curvature of -log p in (m, m), (m, log s), (log s, log s).

        Expected for a measured normal or t observation, as in FOCE (with M4 that of a normal one given that it is
        positive); for one between limits without second derivatives of the standardised limits, as Gauss and Newton
        would: -log P is convex in those, in m and log s it is not, and a subject with little else would have no
        curvature at all. Observed for a user's density.
        """
        noise, inverse = self.residual.noise, jnp.exp(-log_s)
        if isinstance(self.residual.scale, UserDensity):
            return self._observed(m, log_s, observed, p)
        by_location, both, by_scale = noise.information(m * inverse if self.truncated else None)
        expected = (
            jnp.where(observed.scored, by_location * inverse**2, 0.0),
            jnp.where(observed.scored, both * inverse, 0.0) if self.truncated else jnp.zeros_like(m),
            jnp.where(observed.scored, by_scale, 0.0),
        )
        if not self.censored:
            return expected
        between = self._of_limits(m, log_s, observed, p)
        pick = [jnp.where(observed.measured, one, other) for one, other in zip(expected, between, strict=True)]
        return pick[0], pick[1], pick[2]

    def slopes(self, m: Grid, log_s: Grid, observed: Observations, p: Mapping[str, Array]) -> tuple[Grid, Grid, Grid]:
        """-log p of every row and its derivatives in m and log s."""

        def loss(m: Grid, log_s: Grid) -> tuple[Array, Grid]:
            value = -self.log_density(m, log_s, observed, p)
            return value.sum(), value

        # Rows do not depend on each other, so the gradient of their sum holds the derivative of each.
        (_, value), slopes = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(m, log_s)
        return value, *slopes

    def _observed(
        self, m: Grid, log_s: Grid, observed: Observations, p: Mapping[str, Array]
    ) -> tuple[Grid, Grid, Grid]:
        one, zero = jnp.ones_like(m), jnp.zeros_like(m)

        def gradient(m: Grid, log_s: Grid) -> tuple[Grid, Grid]:
            return self.slopes(m, log_s, observed, p)[1:]

        mm, ml = jax.jvp(gradient, (m, log_s), (one, zero))[1]
        return mm, ml, jax.jvp(gradient, (m, log_s), (zero, one))[1][1]

    def _of_limits(
        self, m: Grid, log_s: Grid, observed: Observations, p: Mapping[str, Array]
    ) -> tuple[Grid, Grid, Grid]:
        low, high, no_low, no_high = self._limits(observed.low, observed.high, m, log_s, p)
        one, zero, noise = jnp.ones_like(m), jnp.zeros_like(m), self.residual.noise

        def loss(low: Grid, high: Grid) -> Array:
            found = -log_between(noise, low, high, no_low, no_high)
            if self.truncated:
                above = log_between(noise, low, low, no_low, jnp.ones_like(no_high))
                found = found + jnp.where(observed.low == 0.0, above, 0.0)
            return found.sum()

        def gradient(low: Grid, high: Grid) -> tuple[Grid, Grid]:
            return jax.grad(loss, argnums=(0, 1))(low, high)

        ll, lh = jax.jvp(gradient, (low, high), (one, zero))[1]
        hh = jax.jvp(gradient, (low, high), (zero, one))[1][1]
        ll, hh = jnp.maximum(ll, 0.0), jnp.maximum(hh, 0.0)  # a hundred thousand SDs out rounding makes them negative
        if self.truncated or not isinstance(noise, Gaussian):
            lh = _bounded(lh, ll * hh)
        # d(limit)/dm = -1/s and d(limit)/d(log s) = -limit.
        inverse, counts = jnp.exp(-log_s), observed.scored
        found = (
            (ll + 2.0 * lh + hh) * inverse**2,
            ((ll + lh) * low + (lh + hh) * high) * inverse,
            ll * low**2 + 2.0 * lh * low * high + hh * high**2,
        )
        return jnp.where(counts, found[0], 0.0), jnp.where(counts, found[1], 0.0), jnp.where(counts, found[2], 0.0)

    def _moved(self, y: Grid, used: Mask, p: Mapping[str, Array]) -> Grid:
        transformation = self.residual.transformation
        if transformation is None:
            return jnp.where(used, y, 0.0)
        return transformation.apply(jnp.where(used, y, transformation.inside), p.get("shape", 0.0))

    def _log_slope(self, y: Grid, used: Mask, p: Mapping[str, Array]) -> Grid | float:
        transformation = self.residual.transformation
        if transformation is None:
            return 0.0
        return transformation.log_slope(jnp.where(used, y, transformation.inside), p.get("shape", 0.0))

    def _between(self, low: Grid, high: Grid, m: Grid, log_s: Grid, p: Mapping[str, Array]) -> Grid:
        """log P(low < Y < high)."""
        return log_between(self.residual.noise, *self._limits(low, high, m, log_s, p))

    def _limits(
        self, low: Grid, high: Grid, m: Grid, log_s: Grid, p: Mapping[str, Array]
    ) -> tuple[Grid, Grid, Mask, Mask]:
        """The standardised limits, and which do not count: one that the transformation sends to infinity is none."""
        transformation = self.residual.transformation
        floor, ceiling = (-jnp.inf, jnp.inf) if transformation is None else transformation.support
        no_low, no_high = low <= floor, high >= ceiling
        moved_low, moved_high = self._moved(low, ~no_low, p), self._moved(high, ~no_high, p)
        inverse = jnp.exp(-log_s)
        return (moved_low - m) * inverse, (moved_high - m) * inverse, no_low, no_high


def _bounded(mixed: Grid, product: Grid) -> Grid:
    """The mixed second derivative where two others have this product: not more than what a minimum has. -log P of a
    t-distribution is not convex, nor is one given that the observation is positive."""
    some = product > 0
    most = jnp.where(some, jnp.sqrt(jnp.where(some, product, 1.0)), 0.0)
    return jnp.clip(mixed, -most, most)
