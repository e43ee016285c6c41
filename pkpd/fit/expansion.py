"""A prediction function replaced by its Taylor polynomial where a subject's parameters are.

What is integrated has forward derivatives only, and an objective is differentiated backwards, through curvatures. So
the derivatives of the predictions by the individual parameters are found once, forwards, all terms side by side; the
rest is arithmetic on numbers, which JAX differentiates as it likes. At the point itself a polynomial of degree n has
the same derivatives up to order n: nothing is approximated there. It is also less to compile, for the model is traced
in one place.

An objective that is differentiated n times by what is estimated asks for higher derivatives along random effects only.
A term of degree k > n is therefore kept where k - n or more of its directions are parameters that vary between
subjects; the others are never asked for.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations_with_replacement, pairwise
from math import factorial, prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from pkpd.fit.chunks import copies_of
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
    counts = [1 if pieces is None or parameters[name].ndim == 1 else len(pieces.first) for name in moving]
    owners = np.repeat(np.arange(len(moving)), counts)
    few = tuple(int(i) for i, owner in enumerate(owners) if moving[owner] in varying)
    terms = Terms(len(owners), few, degree, order)

    def predicted(at: Free, wide: tuple[Any, dict[str, Array], Pieces | None]) -> dict[str, Array]:
        predict, held, pieces = wide
        return dict(predict(held | _unpacked(moving, shapes, at, pieces)))

    given = (problem.predict, held, pieces)
    # Arrays that do not all end in the subjects cannot be put side by side.
    rounds = -(-terms.lanes // (1 if problem.order is None else copies_of(problem.subjects)))
    # Even rounds; the last term stands in for those that are missing from the last one.
    copies = -(-terms.lanes // rounds)
    wide, at = jax.tree.map(lambda leaf: jnp.tile(leaf, copies) if copies > 1 else leaf, (given, centre))
    lanes = np.minimum(np.arange(rounds * copies), terms.lanes - 1).reshape(rounds, copies)

    def along(directions: Float[Array, "copy degree free"]) -> tuple[dict[str, Array], ...]:
        units = jnp.repeat(jnp.moveaxis(directions, 0, -1), problem.subjects, axis=-1)
        found = _derivatives(lambda at: predicted(at, wide), at, units)
        return jax.tree.map(lambda one: jnp.moveaxis(one.reshape(one.shape[0], copies, -1), 1, 0), found)

    found = jax.lax.map(along, jnp.asarray(terms.directions[lanes]))
    found = jax.tree.map(lambda one: one.reshape(-1, *one.shape[2:]), found)
    coefficients = terms.coefficients(found)
    return replace(problem, predict=jax.tree_util.Partial(_Polynomial(moving, terms), pieces, centre, coefficients))


def _derivatives(
    function: Callable[[Free], dict[str, Array]], at: Free, units: Float[Array, "degree free subject"]
) -> tuple[dict[str, Array], ...]:
    """The function, its derivative along the first direction, that along the first and the second, and so on."""
    if units.shape[0] == 0:
        return (function(at),)
    lower, slopes = jax.jvp(lambda here: _derivatives(function, here, units[:-1]), (at,), (units[-1],))
    return (*lower, slopes[-1])


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
    """Which terms a Taylor polynomial in `free` numbers has, up to `degree`: all those with at most `order` factors
    that are not among the `few`.

    Along each term of the highest degree one derivative after the other is taken, in an order such that those before
    the last k are what a term of k degrees less asks for: the terms end in one of the few, and with that added to its
    end each term is the beginning of a higher one.
    """

    free: int
    few: tuple[int, ...]
    degree: int
    order: int

    @cached_property
    def factors(self) -> tuple[UInt32[np.ndarray, "term degree"], ...]:
        """The numbers that each term of degree 0, 1 .. multiplies."""
        found = []
        for k in range((self.degree if self.few else min(self.degree, self.order)) + 1):
            every = combinations_with_replacement(self._ranked, k)
            terms = [one for one in every if sum(i not in self.few for i in one) <= self.order]
            found.append(np.array(terms, np.uint32).reshape(len(terms), k))
        return tuple(found)

    @property
    def _ranked(self) -> tuple[int, ...]:
        return (*(i for i in range(self.free) if i != self._last), self._last)

    @property
    def _last(self) -> int:
        return self.few[-1] if self.few else self.free - 1

    @property
    def lanes(self) -> int:
        """How many terms have the highest degree."""
        return len(self.factors[-1])

    @property
    def directions(self) -> Float[np.ndarray, "lane degree free"]:
        """Those of each term of the highest degree, in their order."""
        return np.eye(self.free)[self.factors[-1]]

    @cached_property
    def before(self) -> tuple[UInt32[np.ndarray, " term"], ...]:
        """For each term, of degree 1 or more, the one without its last factor."""
        found = [np.zeros(0, np.uint32)]
        for lower, higher in pairwise(self.factors):
            places = {tuple(one): i for i, one in enumerate(lower.tolist())}
            found.append(np.array([places[tuple(one[:-1])] for one in higher.tolist()], np.uint32))
        return tuple(found)

    def coefficients(self, found: tuple[dict[str, Array], ...]) -> tuple[dict[str, Array], ...]:
        """By degree and name, `[term, row, subject]`, from the derivatives `[lane, row, subject]`."""
        lanes = {tuple(one): i for i, one in enumerate(self.factors[-1].tolist())}
        result = []
        for k, (terms, values) in enumerate(zip(self.factors, found, strict=True)):
            rest = (self._last,) * (len(self.factors) - 1 - k)
            place = np.array([lanes[(*one, *rest)] for one in terms.tolist()], np.uint32)
            repeats = [prod(map(factorial, Counter(one).values())) for one in terms.tolist()]
            weight = 1.0 / np.array(repeats)[:, None, None]
            result.append({name: value[place] * weight for name, value in values.items()})
        return tuple(result)


def _chosen(rows: Float[Array, "row subject"], places: UInt32[np.ndarray, " place"]) -> Float[Array, "place subject"]:
    """rows[places], which as a product takes less time to compile."""
    return jnp.matmul(np.eye(rows.shape[0])[places], rows, precision="highest")


@dataclass(frozen=True)
class _Polynomial:
    """The prediction function; compared by what it is, so that what takes it as an argument is compiled once."""

    moving: tuple[str, ...]
    terms: Terms

    def __call__(
        self,
        pieces: Pieces | None,
        centre: Free,
        coefficients: tuple[dict[str, Array], ...],
        parameters: dict[str, Array],
    ) -> dict[str, Array]:
        step = _packed(self.moving, parameters, pieces) - centre
        products = jnp.ones_like(step[:1])
        found = {name: value[0] for name, value in coefficients[0].items()}
        for factors, before, term in zip(self.terms.factors[1:], self.terms.before[1:], coefficients[1:], strict=True):
            products = _chosen(products, before) * _chosen(step, factors[:, -1])
            found = {name: value + (term[name] * products[:, None]).sum(axis=0) for name, value in found.items()}
        return found
