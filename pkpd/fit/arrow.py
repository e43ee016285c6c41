"""The curvature of subjects that share random effects: those of a site belong to all its subjects.

Each subject has a matrix over its own effects and then the shared ones, and the matrix of a site is their sum with
the shared rows joined. That is an arrow: blocks of subjects, and one row and column of blocks for what they share.
With [A B'; B D] the matrix of one subject,

    a^-1 = W' W,    W of a subject [[V, 0], [-R B V' V, R]],    V' V = A^-1
    R' R = (sum over the site's subjects of D - B A^-1 B')^-1

where the rows of R are one and the same for all subjects of a site. Where nothing is shared this is `dense`.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.fit import dense
from pkpd.fit.dense import Matrices, Vectors

PerSubject = Float[Array, " subject"]


class Sharing(NamedTuple):
    """Which subjects share random effects: the site of each, and how many subjects each site has."""

    site: Any
    size: Any

    @property
    def share(self) -> PerSubject:
        """Each subject's share of what its site has once."""
        return 1.0 / self.size[self.site]


def joined(x: Float[Array, "*row subject"], sharing: Sharing | None) -> Float[Array, "*row subject"]:
    """The sum over each site, for each of its subjects."""
    if sharing is None:
        return x
    # Not by a product with zeros and ones: a subject that fails would spoil all the others.
    return jnp.zeros((*x.shape[:-1], sharing.size.shape[0])).at[..., sharing.site].add(x)[..., sharing.site]


def largest(x: PerSubject, sharing: Sharing | None) -> PerSubject:
    """The largest number of each site, none being negative, for each of its subjects."""
    return x if sharing is None else jnp.zeros(sharing.size.shape[0]).at[sharing.site].max(x)[sharing.site]


def whitener(a: Matrices, own: int, sharing: Sharing | None) -> Matrices:
    """W of the sites' matrices, from those of the subjects; the first `own` effects are a subject's own."""
    if sharing is None:
        return dense.whitener(a)
    v, b = dense.whitener(a[:own, :own]), a[own:, :own]
    bv = dense.product(b, dense.transposed(v))
    r = dense.whitener(joined(a[own:, own:] - dense.product(bv, dense.transposed(bv)), sharing))
    above = jnp.concatenate([v, jnp.zeros((own, a.shape[0] - own, a.shape[2]))], axis=1)
    return jnp.concatenate([above, jnp.concatenate([-dense.product(r, dense.product(bv, v)), r], axis=1)])


def whitened(w: Matrices, g: Vectors, own: int, sharing: Sharing | None) -> Vectors:
    """W g, the shared rows joined."""
    u = dense.applied(w, g)
    return u if sharing is None else jnp.concatenate([u[:own], joined(u[own:], sharing)])


def solve(w: Matrices, g: Vectors, own: int, sharing: Sharing | None) -> Vectors:
    """a^-1 g; shared rows are the same for all subjects of a site."""
    return dense.applied(dense.transposed(w), whitened(w, g, own, sharing))


def log_determinant(w: Matrices, own: int, sharing: Sharing | None) -> PerSubject:
    """log det a of each site, of which each subject has its own part, and its share of the rest."""
    if sharing is None:
        return dense.log_determinant(w)
    logs = -2.0 * jnp.log(jnp.diagonal(w))
    return logs[:, :own].sum(axis=-1) + sharing.share * logs[:, own:].sum(axis=-1)


def squared(u: Vectors, own: int, sharing: Sharing | None) -> PerSubject:
    """|u|^2 of each site, shared rows counted once; split as `log_determinant` is."""
    if sharing is None:
        return (u**2).sum(axis=0)
    return (u[:own] ** 2).sum(axis=0) + sharing.share * (u[own:] ** 2).sum(axis=0)
