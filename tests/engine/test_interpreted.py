"""What is walked through operation by operation gives the numbers that the compiled program gives."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import pkpd.engine  # noqa: F401  64 bits
from pkpd.engine.interpreted import MOST_OPERATIONS, interpreted


class Arrays(NamedTuple):
    """What the operations are of."""

    a: jax.Array
    b: jax.Array
    n: jax.Array
    odd: jax.Array


RANDOM = np.random.default_rng(1)
GIVEN = Arrays(
    a=jnp.asarray(RANDOM.standard_normal((4, 3, 5))),
    b=jnp.asarray(RANDOM.standard_normal((5, 3, 4))),
    n=jnp.arange(-7, 8).reshape(3, 5),
    odd=jnp.array([0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 1e308, 1e-300]),
)
PADDINGS = (((1, -2, 0), (-2, 1, 1)), ((-1, 0, 2), (3, -4, 1)), ((-3, 2, 0), (0, 0, 0)), ((0, 0, 3), (-5, -5, 4)))
"""Before, after and between, of rows and of columns."""

OPERATIONS: dict[str, Callable[[Arrays], jax.Array]] = {
    "arithmetic": lambda v: (v.a + 2.0) * v.a / (v.a - 1.0) - (-v.a) ** 3 + v.a**-2 + jnp.power(jnp.abs(v.a), 0.3),
    "functions": lambda v: (
        jnp.exp(v.a) + jnp.log(v.a) + jnp.sqrt(v.a) + jnp.tanh(v.a) + jnp.expm1(v.a) + jnp.log1p(v.a) + jnp.exp2(v.a)
    ),
    "by jax": lambda v: lax.erf(v.a) + lax.lgamma(v.a) + jnp.clip(v.a, -1, 1) + jnp.sin(v.a) + jnp.sort(v.a, axis=1),
    "odd numbers": lambda v: jnp.stack(
        [jnp.sign(v.odd), jnp.abs(v.odd), jnp.maximum(v.odd, 0), jnp.minimum(v.odd, 1), v.odd / 0.0]
    ),
    "comparisons": lambda v: jnp.stack(
        [v.odd < 1, v.odd <= 1, v.odd > 1, v.odd >= 1, v.odd == 1, v.odd != 1, jnp.isfinite(v.odd)]
    ),
    "logic": lambda v: ((v.a > 0) & (v.a < 1)) | ~(v.a > 0.5) ^ (v.a < 0),
    "whole numbers": lambda v: jnp.stack(
        [v.n // 3, v.n % 4, lax.div(v.n, 3), lax.rem(v.n, 4), v.n**3, v.n & 5, v.n | 5, ~v.n]
    ),
    "by zero": lambda v: jnp.stack([lax.div(v.n, v.n // 3), lax.rem(v.n, v.n // 3), lax.div(v.n, v.n % 2)]),
    "without a sign": lambda v: jnp.stack(
        [operation(v.n.astype(jnp.uint32), jnp.abs(v.n).astype(jnp.uint32) // 3) for operation in (lax.div, lax.rem)]
    ),
    "rounding": lambda v: jnp.stack([v.odd.astype(int), jnp.floor(v.odd).astype(int), jnp.ceil(v.odd).astype(int)]),
    "remainders": lambda v: lax.rem(v.a, 0.3) + jnp.mod(v.a, 0.3),
    "choice": lambda v: jnp.where(v.a > 0, v.a, -v.a) + lax.select_n(v.n % 3, v.n, -v.n, v.n**2).sum().astype(float),
    "reductions": lambda v: jnp.stack([v.a.sum((0, 2)), v.a.max((0, 2)), v.a.min((0, 2)), v.a.prod((0, 2))]),
    "of booleans": lambda v: jnp.stack([(v.a > 0).all((0, 2)), (v.a > 1).any((0, 2)), (v.a > 9).any((0, 2))]),
    "running sums": lambda v: jnp.cumsum(v.a, 1) + lax.cumsum(v.a, 2, reverse=True) + jnp.cumprod(v.a, 0),
    "shapes": lambda v: (
        jnp.tile(v.a.reshape(3, 20)[None].squeeze(0).T, (2, 1)) + jnp.repeat(v.a[0], 8).reshape(40, 3)[:, ::-1]
    ),
    "pieces": lambda v: (
        jnp.concatenate([*jnp.split(v.a, 2), jnp.stack([v.a[1], v.a[2]])]) + v.a[::3, 1:2, ::-2][:1, :, :1]
    ),
    "padding": lambda v: jnp.pad(v.a, 2) + jnp.roll(jnp.pad(v.a, 2), 1),
    "padding between, and less": lambda v: jnp.concatenate([lax.pad(v.n, 9, pads).ravel() for pads in PADDINGS]),
    "unstacked": lambda v: sum(jnp.unstack(v.a, axis=1)) + jnp.unstack(v.a[:, :1], axis=1)[0],
    "nothing, often": lambda v: jnp.concatenate([v.n.astype(float), jnp.tile(v.n[:0], (2, 1)).astype(float)]),
    "products": lambda v: (
        jnp.einsum("ijk,kjl->jil", v.a, v.b).sum() + v.a @ v.a.swapaxes(1, 2) + jnp.dot(v.a[0, 0], v.a[1, 0])
    ),
    "outer products": lambda v: jnp.tensordot(v.a[0], v.b[0], 0) * jnp.einsum("ij,ij->", v.a[0], v.a[1]),
    "inverses": lambda v: jnp.linalg.cholesky(v.a[:, :, :3] @ v.a[:, :, :3].swapaxes(1, 2) + jnp.eye(3)[None]),
    "rows": lambda v: v.a[jnp.array([3, 0, 0])] + v.a[:, jnp.array([[1], [2]]), jnp.array([0, 4])].sum(),
    "diagonals": lambda v: v.a[:, np.arange(3), np.arange(3)] + jnp.moveaxis(v.a, 0, -1)[np.arange(3), np.arange(3)].T,
    "along an axis": lambda v: jnp.take_along_axis(v.a, jnp.array([[[4, 0]]]), axis=2),
    "out of bounds": lambda v: (
        jnp.take(v.a, jnp.array([5, -9, 1]), axis=0, mode="fill") * v.a.at[7].get(mode="clip")[None]
    ),
    "filled": lambda v: jnp.take_along_axis(v.n, jnp.array([[9], [-1], [0]]), axis=1, mode="fill", fill_value=-3),
    "at a place that moves": lambda v: lax.dynamic_slice(v.a, (jnp.argmax(v.a[:, 0, 0]), 9, -1), (2, 2, 2)),
    "written": lambda v: jnp.zeros((6, 6)).at[jnp.array([1, 5, 8]), jnp.array([0, 2, 2])].set(v.a[0, 0, :3]),
    "added": lambda v: jnp.zeros(4).at[jnp.array([1, 1, 3, 7])].add(v.a[0, :2, :2].ravel()),
    "written across": lambda v: jnp.zeros((5, 6)).at[jnp.arange(3), jnp.arange(3)[::-1]].set(v.a[0, 0, :3]),
    "at the edge": lambda v: jnp.zeros(4).at[jnp.array([1, 9])].add(v.a[0, 0, :2], mode="clip"),
    "a gradient at the edge": lambda v: jax.grad(lambda x: (jnp.take(x, jnp.array([9]), mode="clip") ** 2).sum())(
        v.b[0, 0]
    ),
    "rows added": lambda v: jnp.asarray(v.a).at[jnp.array([0, 0, 2])].add(1.5),
    "a loop": lambda v: lax.fori_loop(0, 4, lambda i, x: x * 0.5 + i, v.a),
    "a loop backwards": lambda v: jnp.stack(lax.scan(lambda s, x: (s + x, s * x), v.a[0], v.a, reverse=True)[1:]),
    "mapped": lambda v: lax.map(lambda x: x[0] + x.sum(), jnp.asarray(v.a)),
    "a branch": lambda v: lax.cond(v.a[0, 0, 0] > 0, lambda x: x + 1, lambda x: x * 2, v.a),
    "branches": lambda v: lax.switch(jnp.argmax(v.a[0, 0]), [lambda x: x + 1, lambda x: x * 2, jnp.exp], v.a),
    "made once more": lambda v: jax.checkpoint(jnp.sin)(v.a) + jax.nn.relu(v.a),
    "a gradient": lambda v: jax.grad(lambda x: jnp.linalg.norm(jnp.exp(x) @ x.T))(v.a[0]),
    "second derivatives": lambda v: jax.hessian(lambda x: jnp.prod(jnp.cumsum(x**3)))(v.a[0, 0]),
    "constants": lambda v: jnp.eye(3) @ jnp.arange(3.0) + jnp.linspace(0, 1, 3),
}


def walked(function: Callable[..., jax.Array], *given: jax.Array) -> np.ndarray | None:
    run = interpreted(jax.make_jaxpr(function)(*given))
    return None if run is None else run(given)[0]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation(name: str) -> None:
    """Of arguments, and of constants."""
    expected = np.asarray(jax.jit(OPERATIONS[name])(GIVEN))
    for found in (walked(lambda *v: OPERATIONS[name](Arrays(*v)), *GIVEN), walked(lambda: OPERATIONS[name](GIVEN))):
        assert found is not None
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


def test_a_loop_of_unknown_length_is_not_walked_through() -> None:
    assert walked(lambda x: lax.while_loop(lambda y: y < 9.0, lambda y: y * 2.0, x), jnp.ones(())) is None


def test_what_nothing_asks_for_is_left_out() -> None:
    def function(x: jax.Array) -> jax.Array:
        lax.while_loop(lambda y: y < 9.0, lambda y: y * 2.0, x)
        return lax.fori_loop(0, 4, lambda _, y: [jnp.sin(y), y * 2.0][1], x)

    assert walked(function, jnp.ones(())) == 16.0


def test_a_long_loop_is_not_walked_through() -> None:
    assert walked(lambda x: lax.fori_loop(0, 10, lambda _, y: y * 2.0, x), jnp.ones(())) == 1024.0
    assert walked(lambda x: lax.fori_loop(0, MOST_OPERATIONS, lambda _, y: y * 2.0, x), jnp.ones(())) is None


@pytest.mark.parametrize(
    "function",
    [
        lambda x: lax.map(lambda y: y * 2.0, x[:0]),
        lambda x: [jax.debug.callback(lambda _: None, x), x][1],
        lambda x: jax.random.uniform(jax.random.key(0), x.shape, float) + x,
    ],
)
def test_what_is_strange_is_not_walked_through(function: Callable[..., jax.Array]) -> None:
    assert walked(function, GIVEN.odd) is None


def test_what_is_found_is_nobody_elses() -> None:
    """Neither the argument, nor a constant of the program, can be changed by way of a result."""
    run = interpreted(jax.make_jaxpr(lambda x: (x, jnp.arange(3.0), x.sum()))(GIVEN.odd))
    assert run is not None
    for one in run([np.asarray(GIVEN.odd).copy()]):
        assert isinstance(one, np.ndarray)
        assert not one.flags.writeable


def test_arguments_are_left_as_they_are() -> None:
    given = np.asarray(GIVEN.a).copy()
    found = walked(lambda x: x.at[0, 0, 0].set(9.0), jnp.asarray(given))
    assert found is not None
    assert found[0, 0, 0] == 9.0
    np.testing.assert_array_equal(given, GIVEN.a)
