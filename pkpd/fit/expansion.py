"""A prediction function replaced by its Taylor polynomial where a subject's parameters are.

What is integrated has forward derivatives only, and an objective is differentiated backwards, through curvatures. So
the derivatives of the predictions by the individual parameters are found once, forwards, all directions together; the
rest is arithmetic on numbers, which JAX differentiates as it likes. At the point itself a polynomial of degree n has
the same derivatives up to order n: nothing is approximated there. It is also less to compile, for the model is traced
in one place.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.fit.problem import Problem

Free = Float[Array, "free subject"]


def expanded_about(problem: Problem, parameters: dict[str, Array], moving: tuple[str, ...], degree: int) -> Problem:
    """`problem` with predictions that are right, with `degree` derivatives by `moving`, at `parameters`.

    The other parameters must be constants. A parameter that changes between records has one derivative for each of
    them; then the problem is returned as it is.
    """
    if any(parameters[name].ndim > 1 for name in moving):
        return problem
    held = {name: jax.lax.stop_gradient(value) for name, value in parameters.items()}
    centre = jnp.stack([held[name] for name in moving])

    def stacked(at: Free) -> dict[str, Array]:
        return dict(problem.predict(held | dict(zip(moving, at, strict=True))))

    tensors = derivatives(stacked, centre, degree)
    return replace(problem, predict=jax.tree_util.Partial(partial(_polynomial, moving), centre, tensors))


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


def _polynomial(
    moving: tuple[str, ...], centre: Free, tensors: tuple[dict[str, Array], ...], parameters: dict[str, Array]
) -> dict[str, Array]:
    step = jnp.stack([parameters[name] for name in moving]) - centre
    found = {}
    for name in tensors[0]:
        value = tensors[-1][name]
        for k in range(len(tensors) - 1, 0, -1):
            # Horner's rule: D_(k-1) + (step . (D_k + ..)) / k
            along = step.reshape(step.shape[0], *(1,) * (value.ndim - 2), step.shape[1])
            value = tensors[k - 1][name] + (value * along).sum(axis=0) / k
        found[name] = value
    return found
