"""Omega, the covariance of the random effects, through its Cholesky factor.

Random effects are whitened: eta = L z with z ~ N(0, 1), so that Omega = L L' needs no inverse and may be singular.
Diagonal elements of L are estimated on the log scale, except the last of each block, whose sign has no meaning: an
Omega that loses a dimension does so there, smoothly, at 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.errors import InputError
from pkpd.population.expression import Theta
from pkpd.population.packing import Coordinate
from pkpd.population.transform import Transform


@dataclass(frozen=True)
class Block:
    """Random effects that correlate, in the order in which NONMEM's $OMEGA BLOCK would list them.

    `correlation`: initial, one number for all pairs or the rows below the diagonal. `fixed`: the whole block stays.
    """

    effects: tuple[str, ...]
    correlation: float | tuple[tuple[float, ...], ...] = 0.1
    fixed: bool = False

    def __post_init__(self) -> None:
        if len(self.effects) < 2:
            raise InputError(f"a Block of {', '.join(self.effects) or 'nothing'}: a block has two effects or more")


@dataclass(frozen=True)
class Same:
    """Random effects whose block of Omega is that of `like`, as with NONMEM's SAME."""

    effects: tuple[str, ...]
    like: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.effects or len(self.effects) != len(self.like):
            raise InputError(f"Same of {self.effects} like {self.like}: give as many effects as there are to be like")


@dataclass(frozen=True)
class Part:
    """A diagonal block of L: the coordinate that holds L[i, j], for j <= i."""

    effects: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Omega:
    """The blocks of one level of variability; `label` begins the names of what is reported."""

    label: str
    parts: tuple[Part, ...]
    coordinates: tuple[Coordinate, ...]

    @property
    def effects(self) -> tuple[str, ...]:
        """Random effects in the order of z."""
        return tuple(effect for part in self.parts for effect in part.effects)

    def etas(self, values: Mapping[str, Array], z: Float[Array, "effect subject"]) -> dict[str, Array]:
        """eta = L z of each effect, `[subject]`; z in the order of `effects`."""
        found, offset = {}, 0
        for part in self.parts:
            for i, effect in enumerate(part.effects):
                terms = [values[part.names[i][j]] * z[offset + j] for j in range(i + 1)]
                found[effect] = sum(terms[1:], start=terms[0])
            offset += len(part.effects)
        return found

    def summary(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """SDs and correlations: `omega.cl`, `corr.cl.v`; one entry for effects that share a block."""
        found: dict[str, Array] = {}
        seen: set[str] = set()
        for part in self.parts:
            if part.names[0][0] in seen:
                continue
            seen.add(part.names[0][0])
            rows = [[values[name] for name in row] for row in part.names]
            sds = [jnp.abs(row[0]) if i == 0 else jnp.sqrt(sum(e**2 for e in row)) for i, row in enumerate(rows)]
            for i, effect in enumerate(part.effects):
                found[f"{self.label}.{effect}"] = sds[i]
                for j in range(i):
                    product = sum(rows[i][k] * rows[j][k] for k in range(j + 1))
                    found[f"{self.label}_corr.{part.effects[j]}.{effect}"] = product / (sds[i] * sds[j])
        return found


def resolved(label: str, spreads: Mapping[str, Theta], structure: Sequence[Block | Same]) -> Omega:
    """Omega of the effects in `spreads` (their initial SDs), each on its own unless `structure` says otherwise.

    Raises `InputError` on an effect that is unknown, used twice or shared in a circle, on correlations that no
    covariance has, and on a fixed SD inside a block that is not fixed.
    """
    used = [effect for one in structure for effect in one.effects]
    known = ", ".join(spreads) or "none"
    for effect in (*used, *(effect for one in structure if isinstance(one, Same) for effect in one.like)):
        if effect not in spreads:
            raise InputError(f"{label}: '{effect}' has no random effect here; those that have one: {known}")
    if twice := sorted({effect for effect in used if used.count(effect) > 1}):
        raise InputError(f"{label}: {', '.join(twice)} stands in two blocks; name each effect once")
    parts: list[Part] = []
    coordinates: list[Coordinate] = []
    for block in (*structure, *(effect for effect in spreads if effect not in used)):
        if isinstance(block, Same):
            continue
        made, entries = _part(label, block, spreads)
        parts.append(made)
        coordinates += entries
    for same in (one for one in structure if isinstance(one, Same)):
        model = next((part for part in parts if part.effects == same.like), None)
        if model is None:
            raise InputError(f"{label}: Same like {same.like}, which is no block; name all its effects in its order")
        for own, like in zip(same.effects, same.like, strict=True):
            if spreads[own].fixed != spreads[like].fixed:
                raise InputError(
                    f"{label}: the SD of {own} is that of {like}, and one of them is fixed; let both or neither be"
                )
        parts.append(Part(same.effects, model.names))
    order = {effect: i for i, effect in enumerate(spreads)}
    parts.sort(key=lambda part: order[part.effects[0]])
    return Omega(label, tuple(parts), tuple(coordinates))


def _part(label: str, block: Block | str, spreads: Mapping[str, Theta]) -> tuple[Part, list[Coordinate]]:
    effects = (block,) if isinstance(block, str) else block.effects
    sds = np.array([spreads[effect].initial for effect in effects], dtype=float)
    held = [spreads[effect].fixed for effect in effects]
    if isinstance(block, str):
        scale = sds[0] or 1.0
        name = f"{label}.{block}"
        return Part(effects, ((name,),)), [Coordinate(name, sds[0], Transform("signed", scale=scale), held[0])]
    if any(held) and not block.fixed:
        stays = ", ".join(effect for effect, stay in zip(effects, held, strict=True) if stay)
        raise InputError(f"{label}: the SD of {stays} is fixed, its block is not; let the block be fixed, too")
    factor = sds[:, None] * _correlation_factor(label, block)
    names = tuple(tuple(f"{label}_chol.{effects[i]}.{effects[j]}" for j in range(i + 1)) for i in range(len(effects)))
    last = len(effects) - 1
    coordinates = []
    for i, row in enumerate(names):
        for j, name in enumerate(row):
            signed = Transform("signed", scale=float(factor[i, i])) if i == last else Transform("log")
            transform = signed if i == j else Transform("signed", scale=float(sds[i]))
            coordinates.append(Coordinate(name, float(factor[i, j]), transform, block.fixed))
    return Part(effects, names), coordinates


def _correlation_factor(label: str, block: Block) -> np.ndarray:
    n = len(block.effects)
    matrix = np.eye(n)
    below = np.tril_indices(n, -1)
    given = block.correlation
    if isinstance(given, float | int):
        matrix[below] = given
    else:
        if [len(row) for row in given] != list(range(1, n)):
            raise InputError(
                f"{label}: the rows below the diagonal of a Block of {n} have "
                f"{', '.join(map(str, range(1, n)))} correlations, those given {', '.join(str(len(r)) for r in given)}"
            )
        matrix[below] = [one for row in given for one in row]
    matrix = matrix + np.tril(matrix, -1).T
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise InputError(
            f"{label}: no covariance of {', '.join(block.effects)} has the correlations {given}; bring them nearer to 0"
        ) from None
