"""How long a fit takes, and how much of that is compiling."""

import jax
import jax.numpy as jnp

from pkpd.fit.clock import Clock


def test_compiling_is_part_of_the_first_call_alone() -> None:
    function = jax.jit(lambda x: jnp.linalg.inv(x + jnp.eye(5)) @ jnp.sin(x))
    clock = Clock()
    function(jnp.ones((5, 5))).block_until_ready()
    compiling = clock.compiling
    assert 0.0 < compiling <= clock.seconds
    function(jnp.ones((5, 5))).block_until_ready()
    assert clock.compiling == compiling
    assert Clock().compiling == 0.0
