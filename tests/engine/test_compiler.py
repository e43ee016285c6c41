"""What the compiler is told."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from pkpd.engine import compiler
from pkpd.engine.compiler import FEW, few, jitted, quickly


def test_little_is_compiled_once_for_its_shape_and_gives_what_much_gives() -> None:
    traced = []

    @jitted("power", little=lambda x, power: x.size <= 4)
    def scaled(x: Array, power: int) -> Array:
        traced.append(x.shape)
        return jnp.exp(-x) ** power

    few, many = jnp.linspace(0.0, 3.0, 4), jnp.linspace(0.0, 3.0, 4).repeat(8)
    for _ in range(2):
        np.testing.assert_allclose(scaled(many, power=3)[::8], scaled(few, power=3), rtol=1e-15)
    assert traced == [(32,), (4,)]


def test_little_alone_is_compiled_without_optimisation(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    jit = jax.jit

    def noted(function: Callable, **options: Any) -> Callable:
        asked.append(options.get("compiler_options"))
        return jit(function, **options)

    monkeypatch.setattr(jax, "jit", noted)
    doubled = jitted(little=few)(lambda x: 2.0 * x)
    doubled(jnp.ones(FEW + 1))
    assert asked.pop() == dict(compiler._WELL)
    doubled(jnp.ones(FEW))
    assert asked.pop() == dict(compiler._QUICKLY)


def test_what_is_traced_becomes_part_of_the_whole() -> None:
    doubled = quickly(lambda x: 2.0 * x)
    assert float(jax.jit(jax.grad(lambda x: doubled(x) ** 2))(3.0)) == 24.0


def test_an_option_that_xla_does_not_know_is_left_out() -> None:
    assert not compiler._has("xla_cpu_no_such_thing", True)
    assert all(compiler._has(name, value) for name, value in compiler._QUICKLY)
