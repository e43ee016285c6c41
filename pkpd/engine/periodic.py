"""Nonlinear steady state: the fixed point of the map over one dosing interval, found by Newton, never run up to."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

States = Float[Array, "state batch"]
_T = TypeVar("_T")

_RESIDUAL = 1e-9
"""What may be left of z - P(z), as part of the scale of each state."""

_ROUNDS = 80

DERIVATIVES = 4
"""Up to this order derivatives of a fixed point are exact: a Hessian of Laplace's objective asks for four."""


class _Search(NamedTuple):
    """Where each subject is, with the map's value and slopes there, and where it looks next.

    plain: that is where the map leads, and is taken whatever is found there.
    """

    number: Int[Array, ""]
    z: States
    reached: States
    slope: Float[Array, "batch state state"]
    residual: Float[Array, " batch"]
    next: States
    plain: Bool[Array, " batch"]


def fixed_point(period: Callable[[States], States], guess: States, scale: States) -> States:
    """z with period(z) = z for each subject; NaN where none was found in 80 rounds.

    A round looks at the map and its slopes in one place, where Newton's method points; where that did not bring the
    residual down, the next is where the map itself leads.
    Derivatives in whatever `period` closes over are those of the implicit function theorem: from the fixed point some
    last steps of Newton's, of which only period(z) is differentiated, dz = (I - P')^-1 dP. They do not move it, but
    each makes one more derivative exact, up to `DERIVATIVES`.
    """
    size = guess.shape[0]
    pure, used = jax.closure_convert(period, guess)
    held = lax.stop_gradient(used)  # before the search, or each of its rounds would be differentiated, too

    def looked(z: States) -> tuple[States, Float[Array, "batch state state"]]:
        def along(direction: Float[Array, " state"]) -> tuple[States, States]:
            return jax.jvp(lambda z: pure(z, *held), (z,), (jnp.broadcast_to(direction[:, None], z.shape),))

        reached, columns = jax.vmap(along, out_axes=(None, 0))(jnp.eye(size))  # columns: [column, row, batch]
        return reached, jnp.transpose(columns, (2, 1, 0))

    def newton(z: States, reached: States, slope: Float[Array, "batch state state"]) -> States:
        step = jnp.linalg.solve(jnp.eye(size)[None] - slope, (reached - z).T[:, :, None])[:, :, 0].T
        return z + step

    def running(search: _Search) -> Bool[Array, " batch"]:
        return search.residual > _RESIDUAL

    def unfinished(search: _Search) -> Bool[Array, ""]:
        return (search.number < _ROUNDS) & running(search).any()

    def round_(search: _Search) -> _Search:
        tried = search.next
        reached, slope = looked(tried)
        residual = jnp.max(jnp.abs(reached - tried) / scale, axis=0)
        better = running(search) & (search.plain | (residual < search.residual))
        return _Search(
            number=search.number + 1,
            z=jnp.where(better, tried, search.z),
            reached=jnp.where(better, reached, search.reached),
            slope=jnp.where(better[:, None, None], slope, search.slope),
            residual=jnp.where(better, residual, search.residual),
            next=jnp.where(better, newton(tried, reached, slope), search.reached),
            plain=~better,
        )

    z = lax.stop_gradient(guess)
    start = _Search(
        number=jnp.asarray(0),
        z=z,
        reached=z,
        slope=jnp.zeros((z.shape[1], size, size)),
        residual=jnp.full(z.shape[1], jnp.inf),
        next=z,
        plain=jnp.ones(z.shape[1], dtype=bool),
    )
    end = lax.while_loop(unfinished, round_, start)
    solved = lax.fori_loop(0, DERIVATIVES, lambda _, z: newton(z, pure(z, *used), end.slope), end.z)
    return jnp.where(end.residual <= _RESIDUAL, solved, jnp.nan)


def by_slopes(function: Callable[[_T, Array], States]) -> Callable[[_T, Array], States]:
    """The same function of numbers `[batch]`, each of which acts on its own subject, and of what is not differentiated;
    with a derivative in reverse, too.

    All its slopes are found forwards, and the derivative is the sum of their products. They may be differentiated
    further, forwards.
    """
    found = jax.custom_jvp(function)

    @found.defjvp
    def rule(at: tuple[_T, Array], moves: tuple[_T, Array]) -> tuple[States, States]:
        leaves, structure = jax.tree.flatten(at[0])

        def along(unit: Float[Array, " leaf"]) -> tuple[States, States]:
            directions = [jnp.broadcast_to(one, leaf.shape) for one, leaf in zip(unit, leaves, strict=True)]
            return jax.jvp(lambda here: function(jax.tree.unflatten(structure, here), at[1]), (leaves,), (directions,))

        value, slopes = jax.vmap(along, out_axes=(None, 0))(jnp.eye(len(leaves)))
        parts = (slope * move[None] for slope, move in zip(slopes, jax.tree.leaves(moves[0]), strict=True))
        return value, sum(parts, start=jnp.zeros_like(value))

    return found
