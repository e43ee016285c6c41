"""A prediction function replaced by its Taylor polynomial where a subject's parameters are.

What is integrated has forward derivatives only, and an objective is differentiated backwards, through curvatures. So
the derivatives of the predictions by the individual parameters are found once, forwards, all directions together; the
rest is arithmetic on numbers, which JAX differentiates as it likes. At the point itself a polynomial of degree n has
the same derivatives up to order n: nothing is approximated there. It is also less to compile, for the model is traced
in one place.
"""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.fit.problem import Pieces, Problem

Free = Float[Array, "free subject"]

MOST_PIECES = 8
"""Pieces of time with parameters of their own up to which predictions are expanded."""


def expanded_about(problem: Problem, parameters: dict[str, Array], moving: tuple[str, ...], degree: int) -> Problem:
    """`problem` with predictions that are right, with `degree` derivatives by `moving`, at `parameters`.

    The other parameters must be constants. A parameter that changes between records counts once for each piece of time
    in which it does not; where there are more than `MOST_PIECES`, the problem is returned as it is.
    """
    pieces = problem.pieces
    if pieces is not None and len(pieces.first) > MOST_PIECES and any(parameters[name].ndim > 1 for name in moving):
        return problem
    held = {name: jax.lax.stop_gradient(value) for name, value in parameters.items()}
    centre = _packed(moving, held, pieces)
    shapes = tuple(parameters[name].ndim for name in moving)

    def predicted(at: Free) -> dict[str, Array]:
        return dict(problem.predict(held | _unpacked(moving, shapes, at, pieces)))

    tensors = derivatives(predicted, centre, degree)
    return replace(problem, predict=jax.tree_util.Partial(_Polynomial(moving), pieces, centre, tensors))


def _packed(moving: tuple[str, ...], parameters: dict[str, Array], pieces: Pieces | None) -> Free:
    rows = []
    for name in moving:
        value = parameters[name]
        rows.append(value[None] if pieces is None or value.ndim == 1 else _pick(value, pieces.first))
    return jnp.concatenate(rows)


def _pick(values: Array, place: Array) -> Array:
    return jnp.take_along_axis(values, place, axis=0)


def _unpacked(moving: tuple[str, ...], shapes: tuple[int, ...], at: Free, pieces: Pieces | None) -> dict[str, Array]:
    found, i = {}, 0
    for name, shape in zip(moving, shapes, strict=True):
        if pieces is None or shape == 1:
            found[name], i = at[i], i + 1
        else:
            count = len(pieces.first)
            found[name], i = _pick(at[i : i + count], pieces.of_record), i + count
    return found


def derivatives(function: Any, at: Free, order: int) -> tuple[dict[str, Array], ...]:
    """The derivative tensors D0 .. D_order by name, D_k `[free, .. (k times), row, subject]`; forward mode only.

    Column s of function(at) may depend on column s of `at` alone.
    """
    if order == 0:
        return (function(at),)
    units = jnp.broadcast_to(jnp.eye(at.shape[0])[:, :, None], (at.shape[0], *at.shape))

    def along(unit: Free) -> tuple[tuple[dict[str, Array], ...], tuple[dict[str, Array], ...]]:
        return jax.jvp(lambda here: derivatives(function, here, order - 1), (at,), (unit,))

    lower, slopes = jax.vmap(along, out_axes=(None, 0))(units)
    return (*lower, slopes[-1])


@dataclass(frozen=True)
class _Polynomial:
    """The prediction function; compared by what it is, so that what takes it as an argument is compiled once."""

    moving: tuple[str, ...]

    def __call__(
        self, pieces: Pieces | None, centre: Free, tensors: tuple[dict[str, Array], ...], parameters: dict[str, Array]
    ) -> dict[str, Array]:
        step = _packed(self.moving, parameters, pieces) - centre
        found = {}
        for name in tensors[0]:
            value = tensors[-1][name]
            for k in range(len(tensors) - 1, 0, -1):
                # Horner's rule: D_(k-1) + (step . (D_k + ..)) / k
                along = step.reshape(step.shape[0], *(1,) * (value.ndim - 2), step.shape[1])
                value = tensors[k - 1][name] + (value * along).sum(axis=0) / k
            found[name] = value
        return found
