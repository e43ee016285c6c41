"""Nonlinear steady state: the fixed point of the map over one dosing interval, found by Newton, never run up to."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

States = Float[Array, "state batch"]
_T = TypeVar("_T")

_RESIDUAL = 1e-9
"""What may be left of z - P(z), as part of the scale of each state."""

_ROUNDS = 40

DERIVATIVES = 4
"""Up to this order derivatives of a fixed point are exact: a Hessian of Laplace's objective asks for four."""


def fixed_point(period: Callable[[States], States], guess: States, scale: States) -> States:
    """z with period(z) = z for each subject; NaN where none was found in 40 rounds.

    A round is Newton's; where that did not bring the residual down, the next is a plain application of the map.
    Derivatives in whatever `period` closes over are those of the implicit function theorem: from the fixed point some
    last steps of Newton's, of which only period(z) is differentiated, dz = (I - P')^-1 dP. They do not move it, but
    each makes one more derivative exact, up to `DERIVATIVES`.
    """
    size = guess.shape[0]

    def still(z: States) -> States:
        return lax.stop_gradient(period(lax.stop_gradient(z)))

    def slope(z: States) -> Float[Array, "batch state state"]:
        def along(direction: Float[Array, " state"]) -> States:
            return jax.jvp(period, (z,), (jnp.broadcast_to(direction[:, None], z.shape),))[1]

        columns = jax.vmap(along)(jnp.eye(size))  # [column, row, batch]
        return lax.stop_gradient(jnp.transpose(columns, (2, 1, 0)))

    def newton(z: States, reached: States, change: Float[Array, "batch state state"]) -> States:
        step = jnp.linalg.solve(jnp.eye(size)[None] - change, (reached - z).T[:, :, None])[:, :, 0].T
        return z + step

    def left(z: States, reached: States) -> Float[Array, " batch"]:
        return jnp.max(jnp.abs(reached - z) / scale, axis=0)

    def unfinished(carry: tuple[Array, Array, Array, Array]) -> Array:
        number, _, _, residual = carry
        return (number < _ROUNDS) & jnp.any(residual > _RESIDUAL)

    def round_(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        number, z, reached, residual = carry
        tried = newton(z, reached, slope(z))
        found = still(tried)
        rest = left(tried, found)
        better = rest < residual
        again = still(reached)
        return (
            number + 1,
            jnp.where(better, tried, reached),
            jnp.where(better, found, again),
            jnp.where(better, rest, left(reached, again)),
        )

    start = still(lax.stop_gradient(guess))
    begin = (jnp.asarray(0), lax.stop_gradient(guess), start, left(lax.stop_gradient(guess), start))
    _, z, _, residual = jax.tree.map(lax.stop_gradient, lax.while_loop(unfinished, round_, begin))
    change = slope(z)
    solved = lax.fori_loop(0, DERIVATIVES, lambda _, z: newton(z, period(z), change), z)
    return jnp.where(residual <= _RESIDUAL, solved, jnp.nan)


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
