"""How long a fit takes, part by part, and how much of it is compiling, which a second one like it does not do again."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import jax.monitoring

_COMPILING = tuple(
    f"/jax/core/compile/{part}_duration" for part in ("jaxpr_trace", "jaxpr_to_mlir_module", "backend_compile")
)
_spent = [0.0]


def _heard(event: str, duration_secs: float, **_: str | int) -> None:
    if event in _COMPILING:
        _spent[0] += duration_secs


jax.monitoring.register_event_duration_secs_listener(_heard)


@contextmanager
def making_programs() -> Iterator[None]:
    """All that is done in here is making programs, by several threads: it counts as long as it takes, and once."""
    begun, spent = time.perf_counter(), _spent[0]
    try:
        yield
    finally:
        _spent[0] = spent + time.perf_counter() - begun


class Clock:
    """Started when it is made: `seconds` since then, and those among them in which JAX made programs of functions."""

    def __init__(self) -> None:
        self._begun, self._spent = time.perf_counter(), _spent[0]

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self._begun

    @property
    def compiling(self) -> float:
        """Of these: tracing, lowering, and compiling or reading what is kept on disk."""
        return _spent[0] - self._spent
