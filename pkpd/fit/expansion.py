"""A prediction function replaced by its Taylor polynomial where a subject's parameters are.

What is integrated has forward derivatives only, and an objective is differentiated backwards, through curvatures. So
the derivatives of the predictions by the individual parameters are found once, forwards, all directions together; the
rest is arithmetic on numbers, which JAX differentiates as it likes. At the point itself a polynomial of degree n has
the same derivatives up to order n: nothing is approximated there. It is also less to compile, for the model is traced
in one place.

An objective that is differentiated n times by what is estimated asks for higher derivatives along random effects only.
A term of degree k > n is therefore kept where k - n or more of its directions are parameters that vary between
subjects; the others are never asked for.
"""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from math import factorial, prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.fit.problem import Pieces, Problem

Free = Float[Array, "free subject"]

MOST_PIECES = 8
"""Pieces of time with parameters of their own up to which predictions are expanded."""


def expanded_about(
    problem: Problem,
    parameters: dict[str, Array],
    moving: tuple[str, ...],
    varying: tuple[str, ...],
    degree: int,
    order: int,
) -> Problem:
    """`problem` with predictions that are right, with `degree` derivatives by `moving`, at `parameters`.

    Of these derivatives all but `order` must be by `varying`, those of `moving` that have random effects. The other
    parameters must be constants. A parameter that changes between records counts once for each piece of time in which
    it does not; where there are more than `MOST_PIECES`, the problem is returned as it is.
    """
    pieces = problem.pieces
    if pieces is not None and len(pieces.first) > MOST_PIECES and any(parameters[name].ndim > 1 for name in moving):
        return problem
    held = {name: jax.lax.stop_gradient(value) for name, value in parameters.items()}
    centre = _packed(moving, held, pieces)
    shapes = tuple(parameters[name].ndim for name in moving)

    def predicted(at: Free) -> dict[str, Array]:
        return dict(problem.predict(held | _unpacked(moving, shapes, at, pieces)))

    counts = [1 if pieces is None or parameters[name].ndim == 1 else len(pieces.first) for name in moving]
    owners = np.repeat(np.arange(len(moving)), counts)
    few = tuple(int(i) for i, owner in enumerate(owners) if moving[owner] in varying)
    terms = Terms(len(owners), few, degree, order)
    tensors = terms.of(predicted, centre)
    return replace(problem, predict=jax.tree_util.Partial(_Polynomial(moving, terms), pieces, centre, tensors))


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


@dataclass(frozen=True)
class Terms:
    """Which terms a Taylor polynomial in `free` numbers has, up to `degree`.

    The directions of the first `order` derivatives are all numbers; of those beyond, `few`.
    """

    free: int
    few: tuple[int, ...]
    degree: int
    order: int

    def directions(self, k: int) -> np.ndarray:
        """Those of the k-th derivative."""
        return np.arange(self.free) if k <= self.order else np.array(self.few, int)

    @cached_property
    def weights(self) -> tuple[np.ndarray, ...]:
        """What each element of D_k counts in the polynomial: 1/k! where all orders of its directions are there."""
        found = [np.ones(())]
        for k in range(1, self.degree + 1):
            grid = np.meshgrid(*(self.directions(m) for m in range(k, 0, -1)), indexing="ij")
            which = np.sort(np.stack([one.ravel() for one in grid], axis=1), axis=1)
            _, same, there = np.unique(which, axis=0, return_inverse=True, return_counts=True)
            repeats = np.array([prod(map(factorial, Counter(row).values())) for row in which.tolist()])
            found.append((1.0 / (repeats * there[same.ravel()])).reshape(grid[0].shape))
        return tuple(found)

    def of(self, function: Any, at: Free) -> tuple[dict[str, Array], ...]:
        """The weighted derivatives D_0 .. D_degree by name, D_k `[direction, .. (k times), row, subject]`, the last
        derivative first; forward mode only.

        Column s of function(at) may depend on column s of `at` alone.
        """
        plain = self._derivatives(function, at, self.degree)
        return tuple(
            {name: jnp.asarray(weight[..., None, None]) * value for name, value in term.items()}
            for weight, term in zip(self.weights, plain, strict=True)
        )

    def _derivatives(self, function: Any, at: Free, k: int) -> tuple[dict[str, Array], ...]:
        if k == 0:
            return (function(at),)
        rows = jnp.eye(self.free)[self.directions(k)]
        units = jnp.broadcast_to(rows[:, :, None], (*rows.shape, at.shape[1]))

        def along(unit: Free) -> tuple[tuple[dict[str, Array], ...], tuple[dict[str, Array], ...]]:
            return jax.jvp(lambda here: self._derivatives(function, here, k - 1), (at,), (unit,))

        lower, slopes = jax.vmap(along, out_axes=(None, 0))(units)
        return (*lower, slopes[-1])


@dataclass(frozen=True)
class _Polynomial:
    """The prediction function; compared by what it is, so that what takes it as an argument is compiled once."""

    moving: tuple[str, ...]
    terms: Terms

    def __call__(
        self, pieces: Pieces | None, centre: Free, tensors: tuple[dict[str, Array], ...], parameters: dict[str, Array]
    ) -> dict[str, Array]:
        step = _packed(self.moving, parameters, pieces) - centre
        found = {}
        for name in tensors[0]:
            value = tensors[-1][name]
            for k in range(len(tensors) - 1, 0, -1):
                # Horner's rule: D_(k-1) + step . (D_k + step . (..))
                along = step[self.terms.directions(k)]
                along = along.reshape(along.shape[0], *(1,) * (value.ndim - 2), along.shape[1])
                value = tensors[k - 1][name] + (value * along).sum(axis=0)
            found[name] = value
        return found
