"""The Jacobian of a batched vector field: its structure read from the program, its columns by forward differentiation.

Columns that share no row are differentiated together (Curtis, Powell and Reid 1974, doi:10.1093/imamat/13.1.117).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.extend.core import Literal
from jaxtyping import Array, Float

from pkpd.engine.elimination import Entries

Columns = tuple[Float[Array, " batch"], ...]


def structure(field: Callable[[Columns], Columns], y: Columns) -> set[tuple[int, int]]:
    """(i, j) wherever state j enters the computation of dy_i/dt; never too few."""
    program = jax.make_jaxpr(field)(y).jaxpr
    known = {variable: frozenset((j,)) for j, variable in enumerate(program.invars)}

    def depends(variable: object) -> frozenset[int]:
        return frozenset() if isinstance(variable, Literal) else known.get(variable, frozenset())  # type: ignore[arg-type]

    for equation in program.eqns:
        together = frozenset().union(*(depends(variable) for variable in equation.invars))
        known |= dict.fromkeys(equation.outvars, together)
    return {(i, j) for i, variable in enumerate(program.outvars) for j in depends(variable)}


def groups(pattern: set[tuple[int, int]], size: int) -> list[list[int]]:
    """Columns that can be differentiated together, greedily."""
    rows = [{i for i, k in pattern if k == j} for j in range(size)]
    found: list[list[int]] = []
    for j in sorted(range(size), key=lambda j: -len(rows[j])):
        for group in found:
            if all(rows[j].isdisjoint(rows[k]) for k in group):
                group.append(j)
                break
        else:
            found.append([j])
    return found


def jacobian(field: Callable[[Columns], Columns], y: Columns) -> tuple[Columns, Entries]:
    """field(y), and its derivatives by (row, column)."""
    pattern = structure(field, y)
    value, linear = jax.linearize(field, y)
    entries: Entries = {}
    for group in groups(pattern, len(y)):
        one = tuple(jnp.ones_like(v) if j in group else jnp.zeros_like(v) for j, v in enumerate(y))
        column = linear(one)
        entries |= {(i, j): column[i] for (i, j) in pattern if j in group}
    return value, entries
