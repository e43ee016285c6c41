"""Strict JAX for all tests: no silent change of rank or type. Compiled functions are let go before maps run out."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

MAPS = Path("/proc/self/maps")
ran = count(1)


@pytest.fixture(autouse=True)
def compiled_functions_are_let_go() -> Iterator[None]:
    """Each compiled function holds tens of memory maps; Linux aborts a process that asks for more than 65530."""
    yield
    if next(ran) % 20 == 0 and MAPS.exists() and MAPS.read_bytes().count(b"\n") > 20_000:
        jax.clear_caches()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first: begun last, it would keep one worker busy while the others wait."""
    items.sort(key=lambda item: item.get_closest_marker("longest") is None)
