"""Nonlinear steady state: the fixed point of the map over one dosing interval, found by Newton, never run up to."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

States = Float[Array, "state batch"]

_RESIDUAL = 1e-9
"""What may be left of z - P(z), as part of the scale of each state."""

_ROUNDS = 40


def fixed_point(period: Callable[[States], States], guess: States, scale: States) -> States:
    """z with period(z) = z for each subject; NaN where none was found in 40 rounds.

    A round is Newton's; where that did not bring the residual down, the next is a plain application of the map.
    Derivatives in whatever `period` closes over are those of the implicit function theorem: one last Newton step of
    which only period(z) is differentiated, dz = (I - P')^-1 dP.
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
    solved = newton(z, period(z), slope(z))
    return jnp.where(residual <= _RESIDUAL, solved, jnp.nan)
