"""The drive of a linear block at every place a step may look: exact, at four multiplications a look.

A segment of length D is walked in steps of D/2^m that start at multiples of their own length. The propagators over
c D/2^m, for the abscissae c of a Runge-Kutta method and every m, come from one Taylor series at the finest level
by repeated squaring. Nothing is interpolated and no rate needs to differ from another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from pkpd.engine.propagator import apply, closure, exponential, product
from pkpd.engine.system import LinearSystem

LEVELS = 18
"""The finest step is D/2^18: a third of a second of a day, two minutes of a year."""


@dataclass(frozen=True)
class DyadicDrive:
    """Tables over `LEVELS + 1` levels (0 the finest) for `kinds` of segment length.

    looks `[level, kind, fraction, weight, batch]`: what each state contributes to each readout at c D/2^m.
    steps `[level, kind, entry, batch]`: the propagator over the whole step.
    """

    looks: Float[Array, "levels kinds fractions weights batch"]
    steps: Float[Array, "levels kinds entries batch"]
    look_index: tuple[tuple[str, int], ...]
    step_index: tuple[tuple[int, int], ...]


def dyadic_drive(
    system: LinearSystem,
    readouts: Sequence[str],
    fractions: Sequence[float],
    durations: Float[Array, "kinds batch"],
) -> DyadicDrive:
    """Tabulate the drive of `readouts` for segments of the given `durations` [h].

    Rates and weights of `system` are `[batch]`, or `[kinds, batch]` where they differ between kinds.
    """
    shape = (durations.shape[0], len(fractions), durations.shape[1])
    times = durations[:, None, :] * (jnp.asarray(fractions) * 2.0**-LEVELS)[None, :, None]
    matrix = {key: jnp.broadcast_to(_by_kind(a)[:, None, :], shape) for key, a in system.matrix.items()}
    start = exponential(matrix, system.size, times)
    pattern = closure(set(matrix), system.size)
    look_index = tuple(
        (readout, j)
        for readout in readouts
        for j in range(system.size)
        if any((i, j) in pattern for i in system.readouts[readout])
    )

    def look(entries: dict[tuple[int, int], Float[Array, "..."]], readout: str, j: int) -> Float[Array, "..."]:
        terms = [
            _by_kind(weight)[:, None, :] * entries[i, j]
            for i, weight in system.readouts[readout].items()
            if (i, j) in entries
        ]
        return sum(terms[1:], terms[0])

    def level(
        entries: tuple[Float[Array, "..."], ...], _: None
    ) -> tuple[tuple[Float[Array, "..."], ...], tuple[Float[Array, "..."], Float[Array, "..."]]]:
        current = dict(zip(pattern, entries, strict=True))
        looks = jnp.stack([look(current, readout, j) for readout, j in look_index], axis=2)
        steps = jnp.stack([entry[:, -1, :] for entry in entries], axis=1)
        squared = product(current, current)
        return tuple(squared[key] for key in pattern), (looks, steps)

    _, (looks, steps) = lax.scan(level, tuple(start[key] for key in pattern), None, length=LEVELS + 1)
    return DyadicDrive(looks, steps, look_index, pattern)


def _by_kind(value: Float[Array, "*kinds batch"]) -> Float[Array, "kinds batch"]:
    return value if value.ndim == 2 else value[None]


def at_level(
    drive: DyadicDrive, level: Int[Array, ""], kind: Int[Array, ""]
) -> tuple[Float[Array, "fractions weights batch"], Float[Array, "entries batch"]]:
    """The looks and the step propagator of one level, as arrays of their own.

    The detour through `cond` matters: fused into what uses them, slices keep XLA from vectorising the arithmetic,
    and an optimisation barrier does not survive to where it decides that.
    """

    def slices() -> tuple[Array, Array]:
        looks = lax.dynamic_slice(drive.looks, (level, kind, 0, 0, 0), (1, 1, *drive.looks.shape[2:]))
        steps = lax.dynamic_slice(drive.steps, (level, kind, 0, 0), (1, 1, *drive.steps.shape[2:]))
        return looks.reshape(drive.looks.shape[2:]), steps.reshape(drive.steps.shape[2:])

    def never() -> tuple[Array, Array]:
        return jnp.zeros(drive.looks.shape[2:]), jnp.zeros(drive.steps.shape[2:])

    return lax.cond(level >= 0, slices, never)


def advance(
    drive: DyadicDrive, steps: Float[Array, "entries batch"], x: tuple[Float[Array, " batch"], ...]
) -> tuple[Float[Array, " batch"], ...]:
    """The linear states one step later."""
    return apply({key: steps[e] for e, key in enumerate(drive.step_index)}, x)


def drives(
    drive: DyadicDrive, looks: Float[Array, "fractions weights batch"], x: tuple[Float[Array, " batch"], ...]
) -> list[dict[str, Float[Array, " batch"]]]:
    """For each fraction the value of each readout there."""
    found: list[dict[str, Float[Array, " batch"]]] = []
    for c in range(looks.shape[0]):
        values: dict[str, Float[Array, " batch"]] = {}
        for w, (readout, j) in enumerate(drive.look_index):
            term = looks[c, w] * x[j]
            values[readout] = values[readout] + term if readout in values else term
        found.append(values)
    return found
