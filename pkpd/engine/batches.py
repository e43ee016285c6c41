"""Few shapes and full devices: padding, and subjects dealt out in chunks that each device solves on its own."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int

from pkpd.engine.compiler import FEW, jitted
from pkpd.engine.plan import Plan
from pkpd.engine.rows import Profile
from pkpd.engine.solve import solve
from pkpd.events.course import Course

CHUNK = 256
"""Subjects solved together on a CPU: their tables fit a core's cache. More wait for memory, fewer for the loop."""

CHUNK_OF_ACCELERATORS = 16384
"""The same on anything else, where a step waits for the launch of its kernels and width is nearly free.

A guess from the number of threads such a device runs at once; not measured.
"""

_ROUNDING = 4.0 * np.finfo(float).eps
"""Times are known to this part of the last one, and so are the segment lengths that are their differences."""

_SAME_LENGTH = 1e-11
"""Lengths that differ by rounding of times are one, unless it is more than this part of a short one."""

_BY_SUBJECT = {rank: P(*[None] * (rank - 1), "subject") for rank in (1, 2, 3)}
"""Arrays of each rank are split along their last axis, the subjects."""

_ONE, _TWO, _THREE = (_BY_SUBJECT[rank] for rank in (1, 2, 3))
_COURSE: Any = Course(_TWO, _TWO, _TWO, _THREE, _THREE, _TWO, _TWO)  # type: ignore[arg-type]


class Solved(NamedTuple):
    """Values of `Plan.names`, some in each array; when a subject's integration failed [h], infinite if it did not;
    steps of each device."""

    values: tuple[Float[Array, "time _ subject"], ...]
    failed_at: Float[Array, " subject"]
    accepted: Int[Array, " device"]
    rejected: Int[Array, " device"]


def _few(plan: Plan, mesh: Mesh, even: bool, parameters: Any, line: Course, *_: Any) -> bool:
    return line.start.shape[1] <= FEW * mesh.size


@jitted("plan", "mesh", "even", little=_few)
def solve_chunks(
    plan: Plan,
    mesh: Mesh,
    even: bool,
    parameters: dict[str, Float[Array, " batch"]],
    line: Course,
    durations: Float[Array, "kind batch"],
    kind: Int[Array, " segment"],
    times: Float[Array, " time"],
) -> Solved:
    """Each device solves its own chunk; nothing passes between them, so the split changes no number."""

    def one(parameters: dict[str, Array], line: Course, durations: Array, kind: Array, times: Array) -> Solved:
        rows = Profile(times, line.start)
        values, _, outcome = solve(plan, parameters, parameters, line, durations, kind, rows, even)
        if outcome is None:
            none = jnp.zeros(1, dtype=int)
            return Solved(values, jnp.full_like(line.start[0], jnp.inf), none, none)
        return Solved(values, outcome.failed_at, outcome.accepted[None], outcome.rejected[None])

    split = jax.shard_map(
        one,
        mesh=mesh,
        in_specs=(_ONE, _COURSE, _TWO, P(), P()),
        out_specs=Solved(_THREE, _ONE, _ONE, _ONE),  # type: ignore[arg-type]
        check_vma=False,
    )
    return split(parameters, line, durations, kind, times)


def kinds(line: Course) -> tuple[Float[np.ndarray, "kind subject"], np.ndarray]:
    """The distinct segment lengths, and which one each segment has.

    A schedule repeats few lengths many times; tables are made once for each.
    """
    rounding = _ROUNDING * np.maximum(np.abs(line.start[0]), np.abs(line.start[-1] + line.duration[-1]))
    distinct: list[np.ndarray] = []
    kind = np.zeros(len(line.duration), dtype=int)
    for row, duration in enumerate(line.duration):
        for number, known in enumerate(distinct):
            if (np.abs(duration - known) <= np.minimum(rounding, _SAME_LENGTH * known)).all():
                kind[row] = number
                break
        else:
            kind[row] = len(distinct)
            distinct.append(duration)
    return np.stack(distinct), kind


def evenly_spaced(times: Float[np.ndarray, " time"]) -> bool:
    """Whether the times are a grid, up to the rounding of the last of them."""
    grid = np.linspace(times[0], times[-1], len(times))
    return bool((np.abs(times - grid) <= _ROUNDING * np.abs(times).max()).all())


def chunk_of(subjects: int, platform: str, devices: int, most: int = CHUNK) -> int:
    """Subjects in a chunk on a platform, as JAX calls it ("cpu", "gpu", ..): a bucket that holds all, up to a limit.

    most: the limit on a CPU.

    A CPU's chunks are the same for any number of devices, so that this number changes no result. An accelerator's are
    no larger than its share of the subjects, so that all of them have work.
    """
    if platform == "cpu":
        return min(most, bucket(subjects, smallest=4))
    return min(CHUNK_OF_ACCELERATORS, bucket(-(-subjects // devices), smallest=4))


def bucket(count: int, smallest: int) -> int:
    """The first of smallest, 4 smallest, 16 smallest .. that holds `count`: few shapes, so few compilations."""
    size = smallest
    while size < count:
        size *= 4
    return size


def bucket_of_kinds(count: int) -> int:
    """The first of 6, 8, 12, 16, 24 .. that holds `count`: finer, because each kind costs a table."""
    size = 6
    while size < count:
        size += size // 2 if size & (size - 1) == 0 else size // 3
    return size


def padded(line: Course, segments: int) -> Course:
    """Segments of length 0 added at the end: they cost nothing and change nothing."""
    extra = segments - line.start.shape[0]
    end = np.repeat((line.start[-1:] + line.duration[-1:]), extra, axis=0)
    nothing = (np.concatenate([field, np.zeros((extra, *field.shape[1:]), field.dtype)]) for field in line[1:])
    return Course(np.concatenate([line.start, end]), *nothing)


def padded_rows(rows: Float[np.ndarray, "row subject"], count: int) -> Float[np.ndarray, "more subject"]:
    """The last row repeated until there are `count`."""
    return np.concatenate([rows, np.repeat(rows[-1:], count - len(rows), axis=0)])


def padded_subjects(columns: np.ndarray, count: int) -> np.ndarray:
    """The last subject repeated until there are `count`."""
    missing = count - columns.shape[-1]
    return np.concatenate([columns, np.repeat(columns[..., -1:], missing, axis=-1)], axis=-1)
