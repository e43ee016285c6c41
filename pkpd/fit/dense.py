"""Small dense linear algebra with the batch last: `[row, column, subject]`.

The matrices have the size of a subject's random effects, and there is one a subject: loops go over rows, with all
subjects in each operation, as a CPU and a GPU like it. Derivatives are given as matrix products instead of being
drawn through the loops: what is compiled stays small, at any order.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Matrices = Float[Array, "row row subject"]
Vectors = Float[Array, "row subject"]


@jax.custom_jvp
def whitener(a: Matrices) -> Matrices:
    """W = L^-1, lower triangular, of L L' = a: a^-1 = W' W. NaN where `a` is not positive definite."""
    n = a.shape[0]
    rows = jnp.arange(n)[:, None, None]
    rest, w = a, jnp.broadcast_to(jnp.eye(n)[:, :, None], a.shape)
    for j in range(n):
        # Column j of L, and at once the elimination of row j from the identity that becomes L^-1.
        root = jnp.sqrt(rest[j, j])[None]
        column = rest[:, j] / root
        line = w[j] / root
        below = jnp.where(rows[:, 0] > j, column, 0.0)
        w = jnp.where(rows == j, line[None], w - below[:, None] * line[None])
        rest = rest - below[:, None] * column[None]
    return w


@whitener.defjvp
def _whitener_rule(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    """dW = -Phi(W da W') W, Phi the lower triangle with half of the diagonal."""
    w = whitener(primals[0])
    n = w.shape[0]
    half = (jnp.tril(jnp.ones((n, n))) - 0.5 * jnp.eye(n))[:, :, None]
    inner = product(product(w, tangents[0]), transposed(w))
    return w, -product(half * inner, w)


def product(
    a: Float[Array, "row inner subject"], b: Float[Array, "inner column subject"]
) -> Float[Array, "row column subject"]:
    """a b."""
    return (a[:, :, None] * b[None]).sum(axis=1)


def transposed(a: Float[Array, "row column subject"]) -> Float[Array, "column row subject"]:
    """a'."""
    return jnp.swapaxes(a, 0, 1)


def applied(a: Matrices, b: Vectors) -> Vectors:
    """a b."""
    return (a * b[None]).sum(axis=1)


def solve(w: Matrices, b: Vectors) -> Vectors:
    """a^-1 b, from the whitener of a."""
    return applied(transposed(w), applied(w, b))


def log_determinant(w: Float[Array, "row row ..."]) -> Float[Array, "..."]:
    """log det a, from the whitener of a."""
    return -2.0 * jnp.log(jnp.diagonal(w)).sum(axis=-1) if w.shape[0] else jnp.zeros(w.shape[2:])
