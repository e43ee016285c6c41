"""All that is estimated as one unconstrained, well-scaled vector, and back: the one place for it."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.errors import InputError
from pkpd.population.transform import Transform


@dataclass(frozen=True)
class Coordinate:
    """One estimated number: its name, initial value, transform; `fixed`: it stays where it is."""

    name: str
    initial: float
    transform: Transform
    fixed: bool = False


@dataclass(frozen=True)
class Packing:
    """The coordinates in order; x holds those that are not fixed."""

    coordinates: tuple[Coordinate, ...]

    @property
    def free(self) -> tuple[Coordinate, ...]:
        """The coordinates that x holds."""
        return tuple(one for one in self.coordinates if not one.fixed)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the elements of x."""
        return tuple(one.name for one in self.free)

    def start(self) -> Float[np.ndarray, " parameter"]:
        """x at the initial estimates."""
        return np.array([one.transform.position(one.initial) for one in self.free], dtype=float)

    def at(self, values: Mapping[str, float]) -> Float[np.ndarray, " parameter"]:
        """x at the initial estimates, except for `values` by name. Raises `InputError` on an unknown name."""
        if unknown := sorted(set(values) - set(self.names)):
            raise InputError(f"nothing estimated is called {', '.join(unknown)}; there are {', '.join(self.names)}")
        return np.array([one.transform.position(float(values.get(one.name, one.initial))) for one in self.free])

    def values(self, x: Float[Array, "parameter ..."]) -> dict[str, Array]:
        """Every coordinate's value, in the shape of x but its first axis; those of fixed ones included."""
        place = {name: i for i, name in enumerate(self.names)}
        return {
            one.name: jnp.full(x.shape[1:], one.initial) if one.fixed else one.transform.value(x[place[one.name]])
            for one in self.coordinates
        }
