"""What is integrated, and one step of it as a pure function that can be differentiated."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Float

from pkpd.engine.dyadic import DyadicDrive, Entries, advance, drives
from pkpd.engine.method import Column, Columns, Field, Method, Once, weigh


class Dynamics(NamedTuple):
    """dy/dt = field(p)(y, u) + rates into the states `fed`, u = readouts of x, dx/dt = A x exactly; by `method`.

    field(p) is asked for once a segment, so that what follows from the parameters is too. read(x, p) gives the readouts
    of the linear states x, of which there are none without a drive.
    """

    field: Callable[[dict[str, Column]], Field]
    read: Callable[[Columns, dict[str, Column]], dict[str, Column]]
    fed: tuple[int, ...]
    method: Method

    def slopes(self, p: dict[str, Column], rate: Float[Array, "fed batch"]) -> Field:
        """dy/dt while the states `fed` receive `rate`."""
        own, feeding = self.field(p), {v: rate[i] for i, v in enumerate(self.fed)}

        def slope_at(y: Columns, u: dict[str, Column]) -> Columns:
            return tuple(k + feeding[v] if v in feeding else k for v, k in enumerate(own(y, u)))

        return slope_at


def one_step(
    dynamics: Dynamics,
    drive: DyadicDrive | None,
    y: Columns,
    x: Columns,
    p: dict[str, Column],
    rate: Float[Array, "fed batch"],
    h: Column,
    entries: Entries | None,
    once: Once,
) -> tuple[Columns, Columns, list[Columns]]:
    """(y, x) after a step of length `h` [h], and the increments in between; `entries`: the drive's for that length."""
    method, slope_at = dynamics.method, dynamics.slopes(p, rate)
    u: list[dict[str, Column]] = [{} for _ in method.fractions]
    after = x
    if drive is not None and entries is not None:
        u = drives(drive, entries, x)
        after = advance(drive, entries, x)
    slope = once(lambda: method.begin(lambda y: slope_at(y, dynamics.read(x, p)), y))
    stages, _ = method.increments(slope_at, y, slope, h, u, once)
    end = tuple(y0 + weigh(method.b, [k[v] for k in stages]) for v, y0 in enumerate(y))
    return end, after, stages
