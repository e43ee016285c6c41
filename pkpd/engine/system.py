"""A model's linear block as one compartment matrix, with infusions and running integrals as extra states."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.engine.propagator import Sparse
from pkpd.errors import InputError
from pkpd.models.model import OUT, LinearBlock


@dataclass(frozen=True)
class LinearSystem:
    """dx/dt = A x, with x = (amounts; rates of running infusions; integrals of readouts).

    names: one per state. `matrix` holds the structural non-zeros of A [1/h], each `[batch]` (or `[row, batch]`).
    readouts: for each readout (and integral) its non-zero weights by state index, each `[batch]` (or `[row, batch]`).
    """

    names: tuple[str, ...]
    matrix: Sparse
    readouts: dict[str, dict[int, Float[Array, "*row batch"]]]

    @property
    def size(self) -> int:
        return len(self.names)


def infusion_state(compartment: str) -> str:
    """Name of the state that holds the rate of infusion into `compartment`."""
    return f"rate into {compartment}"


def integral_name(readout: str) -> str:
    """Name of the running integral of `readout` over time (unit of the readout times h)."""
    return f"{readout}_auc"


def linear_system(
    block: LinearBlock,
    parameters: Mapping[str, Float[Array, "*row batch"]],
    infused: tuple[str, ...] = (),
    integrals: tuple[str, ...] = (),
) -> LinearSystem:
    """Assemble the matrix of `block` for a batch of subjects.

    infused: compartments that receive infusions; each adds a state with constant value, the rate [amount/h].
    integrals: readouts whose integral from the start is wanted; each adds a state. Raises `InputError` where the block
    speaks of a compartment it does not have.
    """
    p = SimpleNamespace(**parameters)
    names = list(block.names)
    index = {name: i for i, name in enumerate(names)}
    zero = jnp.zeros_like(next(iter(parameters.values())))
    matrix: Sparse = {(i, i): zero for i in range(len(names))}
    for (source, destination), rate in block.rates(p).items():
        _check_known(block, f"a rate leads from '{source}' to '{destination}'", {source, destination} - {OUT})
        j = index[source]
        matrix[j, j] = matrix[j, j] - rate
        if destination != OUT:
            i = index[destination]
            matrix[i, j] = matrix[i, j] + rate if (i, j) in matrix else rate + zero
    readouts: dict[str, dict[int, Array]] = {}
    for readout in block.readouts:
        weights = readout.weights(p)
        _check_known(block, f"'{readout.name}' is read off {', '.join(weights)}", set(weights))
        readouts[readout.name] = {index[state]: weight + zero for state, weight in weights.items()}
    # Rates and integrals hold their value: their diagonal is a zero that is there, not one left out.
    for compartment in infused:
        matrix[len(names), len(names)] = zero
        matrix[index[compartment], len(names)] = zero + 1.0
        names.append(infusion_state(compartment))
    for readout in integrals:
        matrix[len(names), len(names)] = zero
        for j, weight in readouts[readout].items():
            matrix[len(names), j] = weight
        readouts[integral_name(readout)] = {len(names): zero + 1.0}
        names.append(integral_name(readout))
    return LinearSystem(tuple(names), matrix, readouts)


def _check_known(block: LinearBlock, what: str, names: set[str]) -> None:
    if not names <= set(block.names):
        raise InputError(f"{what}; the compartments are {', '.join(block.names)}")
