"""Between kinks: where a dose arrives, or an infusion ends, just at a sample, a likelihood is not smooth.

A prediction has a kink in a lag or a duration psi where that is the time between a dose and a sample. Between two
kinks, in a slab of the space of random effects, F is smooth; it often has a minimum in each of several slabs, or on the
kink between two. So a subject's integral is taken slab by slab, with the lowest z of each, and the parts are added:

    -log of a part = F(z) - l^2 v / 2 + log det(H) / 2 - log P,   dF/dz + l a = 0,  v = a' H^-1 a

a = d(log psi)/dz, l the multiplier of a z on the edge of its slab (0 within), and P the share of the parabola's
Gaussian that lies in the slab. Far from kinks that is the usual approximation, and as parameters change no part jumps.

Derivatives on an edge are those just inside. An edge is a plane wherever log psi is linear in z; elsewhere Newton's
method on it takes the plane that touches it.
"""

from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from pkpd.fit import dense
from pkpd.fit.individual import Curvature, Individual, PerSubject, Values, Z, units
from pkpd.fit.problem import Problem

MOST = 6
"""Kinks that are heeded: those nearest to the typical psi. The slabs are one more."""

_BESIDE = 1e-8
"""How far beside the kink an edge is, as a part of psi."""

_ANYWHERE = 1e3
"""Of log psi: no edge."""

_NOTHING = 20.0
"""By so much more of F than in the best slab a slab does not count: 2e-9 of the weight. What fails there then spoils
nothing."""

_TOUCHING = 0.01 * _BESIDE
"""So near an edge, in log psi, is on it."""

_TOWARDS = 8
"""Steps of Newton's method into a slab, of which one is enough wherever psi or log psi is linear in z."""

_LIKELY = 2.0
"""SDs about the typical log psi within which kinks should be heeded."""

_T = TypeVar("_T")


class Slab(NamedTuple):
    """Edges of log psi, and whether the slab counts."""

    low: PerSubject
    high: PerSubject
    counts: Bool[Array, " column"]


class Held(NamedTuple):
    """The slabs; whose psi is held, on an edge (1 or 0); its logarithm there; the multiplier; how much was added along
    the normal to the curvature, which may be negative there, to make it positive: on the edge nothing changes."""

    slab: Slab
    which: PerSubject
    at: PerSubject
    multiplier: PerSubject
    added: PerSubject


def timing(individual: Individual, values: Values, problem: Problem) -> str | None:
    """The parameter that moves kinks from subject to subject: one number each, by random effects of its own.

    None where there is none, or more than one: kinks that two make together are not known.
    """
    names = [name for name in problem.timing if name in individual.population.varying]
    if len(names) != 1 or problem.apart is None or problem.order is None or problem.sharing is not None:
        return None
    zero = jnp.zeros((individual.effects(problem), problem.subjects))
    shapes = jax.eval_shape(lambda: individual.parameters(values, zero, problem))
    return names[0] if shapes[names[0]].ndim == 1 else None


def parts(individual: Individual, values: Values, problem: Problem) -> int:
    """How many slabs a subject has; 1 where there are no kinks to heed."""
    if timing(individual, values, problem) is None:
        return 1
    return min(MOST, problem.apart.shape[0]) + 1


def unheeded(individual: Individual, values: Values, problem: Problem) -> str:
    """In words, where random effects make kinks that are not heeded, or not all of those that are likely."""
    names = [name for name in problem.timing if name in individual.population.varying]
    if not names:
        return ""
    who = f"random effects of {', '.join(names)} move arrivals or ends of infusions past samples"
    if timing(individual, values, problem) is None or len(problem.timing) > 1:
        return f"{who}; kinks made by two parameters, occasions or sites are not heeded: the objective may jump"
    surface, zero = Surface(individual, values, problem), jnp.zeros((individual.effects(problem), problem.subjects))
    sd = jnp.sqrt((surface.normal(zero) ** 2).sum(axis=0))
    likely = jnp.abs(jnp.log(problem.apart) - surface.at(zero)[None]) < _LIKELY * sd[None]
    many = int((likely.sum(axis=0) > MOST).sum())
    if not many:
        return ""
    return f"{who}; in {many} subjects more than {MOST} kinks are likely, and {MOST} heeded: the objective may jump"


def beside(tree: _T, count: int) -> _T:
    """Everything `count` times, side by side: a column for each slab of a subject."""
    return tree if count == 1 else jax.tree.map(lambda leaf: jnp.tile(leaf, count), tree)


def folded(tree: _T, count: int) -> _T:
    """Columns as `[.., slab, subject]`."""
    if count == 1:
        return tree
    return jax.tree.map(lambda leaf: leaf.reshape(*leaf.shape[:-1], count, -1), tree)


def unfolded(tree: _T, count: int) -> _T:
    """And back."""
    return tree if count == 1 else jax.tree.map(lambda leaf: leaf.reshape(*leaf.shape[:-2], -1), tree)


def slabs(individual: Individual, values: Values, problem: Problem, count: int) -> Slab:
    """Those of each subject, side by side: between the kinks nearest to its typical psi."""
    surface = Surface(individual, values, problem)
    typical = surface.at(jnp.zeros((individual.effects(problem), problem.subjects)))
    edges = jnp.log(problem.apart)
    first = jnp.clip((edges < typical[None]).sum(axis=0) - (count - 1) // 2, 0, len(edges) - (count - 1))
    window = jnp.take_along_axis(edges, first[None] + jnp.arange(count - 1)[:, None], axis=0)
    none = jnp.full_like(window[:1], _ANYWHERE)
    low = jnp.concatenate([-none, jnp.minimum(window + _BESIDE, none)])
    high = jnp.concatenate([jnp.minimum(window - _BESIDE, none), none])
    # Fewer kinks than others have: the last slab stands in for those that are missing, and does not count.
    there = low < _ANYWHERE
    last = jnp.where(there, low, -jnp.inf).max(axis=0)
    low, high = jnp.where(there, low, last[None]), jnp.where(there, high, _ANYWHERE)
    return jax.lax.stop_gradient(jax.tree.map(lambda leaf: leaf.reshape(-1), Slab(low, high, there)))


class Surface(NamedTuple):
    """log psi as a function of z, for each column."""

    individual: Individual
    values: Values
    problem: Problem

    def at(self, z: Z) -> PerSubject:
        """log psi."""
        name = timing(self.individual, self.values, self.problem)
        return jnp.log(self.individual.parameters(self.values, z, self.problem)[str(name)])

    def normal(self, z: Z) -> Z:
        """d(log psi)/dz."""
        return jax.vmap(lambda unit: jax.jvp(self.at, (z,), (unit,))[1])(units(z))

    def bend(self, z: Z) -> Curvature:
        """Its second derivatives; 0 where psi is log-normal."""
        return jax.vmap(lambda unit: jax.jvp(self.normal, (z,), (unit,))[1])(units(z))

    def start(self, slab: Slab) -> Z:
        """Where the search in a slab begins: as near to z = 0 as can be, and not on an edge. A slab that psi cannot
        come to is left outside."""
        inset = 0.25 * jnp.minimum(slab.high - slab.low, 1.0)
        return self.moved(jnp.zeros((self.individual.effects(self.problem), len(inset))), slab, inset)

    def moved(self, z: Z, slab: Slab, inset: PerSubject | float = 0.0) -> Z:
        """z, moved along the normal to where it lies in its slab, by so much from the edges."""

        def off(s: PerSubject) -> PerSubject:
            return jnp.clip(s, slab.low + inset, slab.high - inset) - s

        def nearer(_: Array, z: Z) -> Z:
            a, s = self.normal(z), self.at(z)
            along = a / (a**2).sum(axis=0)[None]
            # As if log psi were linear in z, or psi itself: a normal one is less than 0 where the former would lead.
            first, other = z + along * off(s)[None], z + along * jnp.expm1(off(s))[None]
            closer = jnp.abs(off(self.at(first))) <= jnp.abs(off(self.at(other)))
            return jnp.where(closer[None], first, other)

        return jax.lax.fori_loop(0, _TOWARDS, nearer, z)

    def within(self, z: Z, slab: Slab) -> Bool[Array, " column"]:
        """Whether z lies in its slab: beyond an edge F may well be lower."""
        s = self.at(z)
        return (s >= slab.low - _TOUCHING) & (s <= slab.high + _TOUCHING)

    def bent(self, z: Z, step: Z, w: Array, slab: Slab) -> Z:
        """Of a step -H^-1 g the one to the parabola's lowest point in the slab."""
        a = self.normal(z)
        end = self.at(z) + (a * step).sum(axis=0)
        across = dense.applied(dense.transposed(w), dense.applied(w, a))
        over = end - jnp.clip(end, slab.low, slab.high)
        return step - across * (over / (a * across).sum(axis=0))[None]


def kept(surface: Surface, z: Z, slab: Slab) -> Held:
    """Those that lie on an edge."""
    s = surface.at(z)
    edge = jnp.where(s - slab.low < slab.high - s, slab.low, slab.high)
    which = jnp.abs(s - edge) < _TOUCHING
    return Held(slab, jnp.where(which, 1.0, 0.0), jnp.where(which, edge, 0.0), jnp.zeros_like(s), jnp.zeros_like(s))


def firm(curvature: Curvature, a: Z, held: Held) -> tuple[Curvature, Held]:
    """The curvature, positive also along the normal of what is held."""
    added = held.which * 10.0 * (1.0 + jnp.abs(curvature).max(axis=(0, 1))) / (a**2).sum(axis=0)
    return curvature + added[None, None] * a[:, None] * a[None], held._replace(added=added)


def on_edge(step: Z, a: Z, off: PerSubject, held: Held, w: Array) -> tuple[Z, PerSubject]:
    """Of a Newton step H^-1 g (to be subtracted) the one that brings log psi, `off` by so much, to the edge; and the
    multiplier."""
    across = dense.applied(dense.transposed(w), dense.applied(w, a))
    width = jnp.where(held.which > 0, (a * across).sum(axis=0), 1.0)
    pull = held.which * (off - (a * step).sum(axis=0)) / width
    return step + across * pull[None], pull - held.added * off


def log_share(s: PerSubject, multiplier: PerSubject, variance: PerSubject, slab: Slab) -> PerSubject:
    """l^2 v / 2 + log P: of a slab beside what its parabola has in all."""
    sd = jnp.sqrt(variance)
    centre = s + multiplier * variance
    up, down = (slab.high - centre) / sd, (slab.low - centre) / sd
    # Where the interval lies above it is seen from the other side: differences of small numbers, not of those near 1.
    more, less = jnp.where(down > 0, -down, up), jnp.where(down > 0, -up, down)
    first, second = jax.scipy.special.log_ndtr(more), jax.scipy.special.log_ndtr(less)
    return 0.5 * multiplier**2 * variance + first + jnp.log(-jnp.expm1(second - first))


def weighed(found: _T, value: Float[Array, "slab subject"], slab: Slab) -> tuple[_T, Slab]:
    """What was `found` in slabs, `[.., slab, subject]`, with F of `value`, and those that count: a density of 0 in a
    slab adds nothing, nor does one far below the best. In place of the others stands the best one, so that nothing goes
    wrong with them."""
    value = jnp.where(slab.counts, value, jnp.inf)
    counts = jnp.isfinite(value) & (value < value.min(axis=0, keepdims=True) + _NOTHING)
    whole = found, slab
    best = chosen(whole, value.argmin(axis=0))

    def instead(one: Array, other: Array) -> Array:
        other = jnp.broadcast_to(other[..., None, :], one.shape)
        return jnp.where(jnp.broadcast_to(counts, one.shape), one, other)

    found, slab = jax.tree.map(instead, whole, best)
    return found, slab._replace(counts=counts)


def chosen(tree: _T, which: Array) -> _T:
    """Of `[.., slab, subject]` the slab `which[subject]`, as `[.., subject]`."""

    def pick(leaf: Array) -> Array:
        if leaf.shape[-2] == 1:
            return leaf[..., 0, :]
        place = jnp.broadcast_to(which, (*leaf.shape[:-2], 1, leaf.shape[-1]))
        return jnp.take_along_axis(leaf, place, axis=-2)[..., 0, :]

    return jax.tree.map(pick, tree)
