"""The drive of a linear block at every place a step may look: exact, at four multiplications a look.

A segment of length D is walked in steps of D/2^m that start at multiples of their own length. The propagators over
c D/2^m, for the abscissae c of a Runge-Kutta method and every m, come from one Taylor series at the finest level
by repeated squaring. Nothing is interpolated and no rate needs to differ from another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from pkpd.engine.exact import Span
from pkpd.engine.method import Column, once
from pkpd.engine.propagator import Sparse, apply, closure, product
from pkpd.engine.system import LinearSystem

LEVELS = 18
"""The finest step is D/2^18: a third of a second of a day, two minutes of a year."""


@jax.tree_util.register_static
@dataclass(frozen=True)
class Index:
    """What the columns of the tables stand for: (readout, state), and (row, column) of the propagator."""

    looks: tuple[tuple[str, int], ...]
    steps: tuple[tuple[int, int], ...]


class DyadicDrive(NamedTuple):
    """Tables over `LEVELS + 1` levels (0 the finest) for `kinds` of segment length.

    looks: what each state contributes to each readout at c D/2^m. steps: the propagator over the whole step.
    """

    looks: Float[Array, "levels kinds fractions weights batch"]
    steps: Float[Array, "levels kinds entries batch"]
    columns: Index


def over_fractions(durations: Float[Array, "kinds batch"], fractions: Sequence[float]) -> Span:
    """From the start of the finest step to each of its fractions, kind by kind."""
    times = durations[:, None, :] * (jnp.asarray(fractions) * 2.0**-LEVELS)[None, :, None]
    return Span(times.reshape(-1, durations.shape[1]), lambda field: jnp.repeat(field, len(fractions), axis=0))


def dyadic_drive(
    system: LinearSystem, readouts: Sequence[str], fractions: Sequence[float], finest: Sparse
) -> DyadicDrive:
    """Tabulate the drive of `readouts`.

    finest: the propagators `over_fractions`. Weights of `system` are `[batch]`, or `[kinds, batch]` where they differ
    between kinds.
    """
    pattern = closure(set(system.matrix), system.size)
    start = {key: entry.reshape(-1, len(fractions), entry.shape[1]) for key, entry in finest.items()}
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
    return DyadicDrive(looks, steps, Index(look_index, pattern))


def _by_kind(value: Float[Array, "*kinds batch"]) -> Float[Array, "kinds batch"]:
    return value if value.ndim == 2 else value[None]


def level_of(size: Float[Array, "*step"]) -> Int[Array, "*step"]:
    """The level of steps of such a part of a segment."""
    return jnp.round(LEVELS + jnp.log2(size)).astype(int)


class Entries(NamedTuple):
    """The tables at one level and for one kind, column by column: by fraction and weight; by entry."""

    looks: tuple[tuple[Float[Array, " batch"], ...], ...]
    steps: tuple[Float[Array, " batch"], ...]


def at_level(drive: DyadicDrive, level: Int[Array, ""], kind: Int[Array, ""]) -> Entries:
    """The entries a step of one level is made with."""

    _, _, fractions, weights, _ = drive.looks.shape
    return Entries(
        tuple(tuple(_column(drive.looks, level, kind, c, w) for w in range(weights)) for c in range(fractions)),
        tuple(_column(drive.steps, level, kind, e) for e in range(drive.steps.shape[2])),
    )


def _column(table: Array, *place: Int[Array, ""] | int) -> Float[Array, " batch"]:
    return lax.dynamic_slice(table, (*place, 0), (1,) * len(place) + table.shape[-1:]).reshape(-1)


def split(looks: Float[Array, "fractions weights batch"], steps: Float[Array, "entries batch"]) -> Entries:
    """The entries from arrays that hold those of one level."""
    return Entries(tuple(tuple(row) for row in looks), tuple(steps))


def apart(drive: DyadicDrive) -> Entries:
    """The tables column by column, each `[level, kind, batch]`."""
    _, _, fractions, weights, _ = drive.looks.shape
    return Entries(
        tuple(tuple(drive.looks[:, :, c, w] for w in range(weights)) for c in range(fractions)),
        tuple(drive.steps[:, :, e] for e in range(drive.steps.shape[2])),
    )


def together(drive: DyadicDrive, entries: Entries) -> DyadicDrive:
    """`drive` with other tables, given column by column."""
    looks = jnp.stack([jnp.stack(row, axis=2) for row in entries.looks], axis=2)
    return drive._replace(looks=looks, steps=jnp.stack(entries.steps, axis=2))


def added(tables: Entries, level: Int[Array, ""], kind: Int[Array, ""], more: Entries) -> Entries:
    """The tables, column by column, with something added to the entries of one level."""
    # What is read by itself does not overlap with what is written, as far as the compiler can see.
    before = once(level >= 0, lambda: jax.tree.map(lambda table: _column(table, level, kind), tables))

    def put(table: Float[Array, "levels kinds batch"], old: Column, new: Column) -> Array:
        return lax.dynamic_update_slice(table, (old + new)[None, None], (level, kind, 0))

    return jax.tree.map(put, tables, before, more)


def advance(drive: DyadicDrive, entries: Entries, x: tuple[Float[Array, " batch"], ...]) -> tuple[Array, ...]:
    """The linear states one step later."""
    return apply(dict(zip(drive.columns.steps, entries.steps, strict=True)), x)


def drives(
    drive: DyadicDrive, entries: Entries, x: tuple[Float[Array, " batch"], ...]
) -> list[dict[str, Float[Array, " batch"]]]:
    """For each fraction the value of each readout there."""
    found: list[dict[str, Float[Array, " batch"]]] = []
    for looks in entries.looks:
        values: dict[str, Float[Array, " batch"]] = {}
        for (readout, j), look in zip(drive.columns.looks, looks, strict=True):
            values[readout] = values[readout] + look * x[j] if readout in values else look * x[j]
        found.append(values)
    return found
