"""Few shapes and full devices: padding, and subjects dealt out in chunks that each device solves on its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int

from pkpd.engine.compiler import few
from pkpd.engine.devices import subject_mesh
from pkpd.engine.plan import Plan
from pkpd.engine.sheets import Sheet
from pkpd.events.course import Course
from pkpd.events.doses import Doses, course_of
from pkpd.models.model import Model

_R = TypeVar("_R")

CHUNK = 256
"""Subjects solved together on a CPU: their tables fit a core's cache. More wait for memory, fewer for the loop."""

CHUNK_OF_ACCELERATORS = 16384
"""The same on anything else, where a step waits for the launch of its kernels and width is nearly free.

A guess from the number of threads such a device runs at once; not measured.
"""

_LONG = 500_000
"""Numbers found for a chunk beyond which profiles are long. With shorter ones a device solves two chunks in one go: to
put some megabytes side by side takes longer than to be called again. Longer ones are written on sheets that are used
again. Four megabytes are a guess by the pace of memory."""

_ROUNDING = 4.0 * np.finfo(float).eps
"""Times are known to this part of the last one, and so are the segment lengths that are their differences."""

_SAME_LENGTH = 1e-11
"""Lengths that differ by rounding of times are one, unless it is more than this part of a short one."""


class Subjects(NamedTuple):
    """What each of some subjects has of its own. parameters: those of a model, in its order; one array, not many, is
    handed over to devices in a tenth of the time. firsts: `first` and `since` of a `Grid`, where there is one."""

    parameters: Float[Any, "parameter subject"]
    line: Course
    durations: Float[Any, "kind subject"]
    firsts: tuple[Int[Any, "segment subject"], Float[Any, "kind subject"]] | None


@dataclass(frozen=True)
class Batch:
    """Subjects, the kind of each of their segments (and of its first row, on a grid), and how they are dealt out: by
    rounds, in each of which a device solves `turns` chunks, one after the other. long: whether their profiles are."""

    subjects: Subjects
    kind: Int[np.ndarray, " segment"]
    first_kind: Int[np.ndarray, " segment"] | None
    mesh: Mesh
    chunk: int
    turns: int
    long: bool

    @property
    def count(self) -> int:
        """How many subjects there are."""
        return self.subjects.line.start.shape[1]

    @property
    def together(self) -> int:
        """How many there are in a round."""
        return self.turns * self.chunk * self.mesh.size

    @property
    def rounds(self) -> list[Int[np.ndarray, " member"]]:
        """The subjects of each round; the last one stands in for those that are missing from the last round."""
        starts = range(0, self.count, self.together)
        return [np.minimum(np.arange(first, first + self.together), self.count - 1) for first in starts]

    def dealt(self, each: Any, members: Int[np.ndarray, " member"]) -> Any:
        """Of arrays that end in the subjects the `members`, each chunk's apart: `[device, turn, .., subject]`.

        NumPy's arrays, to be handed over as they are: putting one on a device waits for what that device is at work
        on. With the devices in front each part is one piece of memory, which is handed over at once.
        """
        parts = members.reshape(-1, self.chunk)
        shape = (self.mesh.size, self.turns)

        def apart(field: Any) -> np.ndarray:
            field = np.asarray(field)
            if field.strides[-1] == 0:
                return np.broadcast_to(field[..., :1], (*shape, *field.shape[:-1], self.chunk))
            found = np.empty((len(parts), *field.shape[:-1], self.chunk), field.dtype)
            for part, into in zip(parts, found, strict=True):
                np.take(field, part, axis=-1, out=into, mode="clip")  # "raise" would go by way of a copy
            return found.reshape(*shape, *found.shape[1:])

        return jax.tree.map(apart, each)


def batch_of(
    model: Model,
    parameters: Mapping[str, Any],
    doses: Doses,
    times: Float[np.ndarray, " time"],
    found: int,
    grid: bool = False,
    most: int = CHUNK,
) -> Batch:
    """The subjects of `simulate`, their courses padded to one of few lengths.

    found: how many numbers are found for each. grid: whether the times are to be seen as one. most: in a chunk, on a
    CPU.
    """
    subjects = doses.time.shape[1]
    # A schedule that all share is worked out once.
    line = course_of(doses.of_all or doses, len(model.states), float(times[0]), float(times[-1]))
    line = padded(line, bucket(line.start.shape[0], smallest=64))
    durations, kind = kinds(line.duration, line)
    firsts, first_kind = None, None
    if grid:
        first, since = _firsts(line, times)
        since, first_kind = kinds(since, line)
        firsts = (first, since)
    line, durations, firsts = jax.tree.map(lambda field: _for_each(field, subjects), (line, durations, firsts))
    columns = np.array([parameters[symbol] for symbol in model.symbols], dtype=float)
    mesh = subject_mesh()
    chunk = chunk_of(subjects, jax.default_backend(), mesh.size, most)
    own = Subjects(columns.reshape(-1, subjects), line, durations, firsts)
    rounds = -(-subjects // (chunk * mesh.size))
    long = found * chunk > _LONG
    turns = 2 if not long and rounds % 2 == 0 else 1
    return Batch(own, kind, first_kind, mesh, chunk, turns, long)


def _for_each(field: np.ndarray, subjects: int) -> np.ndarray:
    """The last axis as many times as there are subjects, in no more memory."""
    return np.broadcast_to(field, (*field.shape[:-1], subjects))


def few_each(plan: Plan, mesh: Mesh, how: Any, subjects: Subjects, *_: Any) -> bool:
    """Whether each device has few subjects."""
    return few(subjects.line.start)


def on_each(
    mesh: Mesh,
    one: Callable[..., _R],
    each: tuple[Any, ...],
    shared: tuple[Any, ...],
    found: Any,
    sheets: tuple[Sheet, ...] = (),
) -> _R:
    """`one(*each, *shared)` on every device, for each of its own chunks of `each`, which `Batch.dealt` made.

    sheets: if any, a last argument of `one`, each device's own part of them; for one chunk only. found: how what
    devices find is put together; all of it ends in the subjects, or in one for the chunk. Nothing passes between
    chunks, so the split changes no number.
    """

    def own(each: tuple[Any, ...], shared: tuple[Any, ...], sheets: tuple[Sheet, ...]) -> _R:
        each = jax.tree.map(lambda field: field[0], each)
        if jax.tree.leaves(each)[0].shape[0] == 1:
            return one(*jax.tree.map(lambda field: field[0], each), *shared, *((sheets,) if sheets else ()))
        by_turn = jax.lax.map(lambda chunk: one(*chunk, *shared), each)
        return jax.tree.map(_side_by_side, by_turn)

    dealt = (P("subject"), P(), P(None, None, "subject"))
    return jax.shard_map(own, mesh=mesh, in_specs=dealt, out_specs=found, check_vma=False)(each, shared, sheets)


def _side_by_side(by_turn: Array) -> Array:
    """`[turn, .., subject]` as `[.., subject]`, the chunks one after the other."""
    turns, *rest, subjects = by_turn.shape
    return jnp.moveaxis(by_turn, 0, -2).reshape(*rest, turns * subjects)


def _firsts(
    line: Course, times: Float[np.ndarray, " time"]
) -> tuple[Int[np.ndarray, "segment subject"], Float[np.ndarray, "segment subject"]]:
    """The first row of each segment, and how long after its start it is [h], as a `Grid` has them; 0 for segments in
    which nobody has a row."""
    first = np.searchsorted(times, line.start, side="right")
    first[0] = 0
    beyond = np.concatenate([first[1:], np.full_like(first[:1], len(times))])
    since = np.maximum(times[np.minimum(first, len(times) - 1)] - line.start, 0.0)
    return first, np.where((first < beyond).any(axis=1, keepdims=True), since, 0.0)


def kinds(
    lengths: Float[np.ndarray, "segment subject"], line: Course
) -> tuple[Float[np.ndarray, "kind subject"], Int[np.ndarray, " segment"]]:
    """The distinct lengths, padded to one of few counts, and which of them each segment of `line` has.

    A schedule repeats few lengths many times; tables are made once for each.
    """
    rounding = _ROUNDING * np.maximum(np.abs(line.start[0]), np.abs(line.start[-1] + line.duration[-1]))
    distinct: list[int] = []
    kind = np.full(len(lengths), -1)
    while (left := np.flatnonzero(kind < 0)).size:
        one = int(left[0])
        known = lengths[one]
        left = left[np.abs(lengths[left, 0] - known[0]) <= rounding[0]]  # most are not, by the first subject
        same = (np.abs(lengths[left] - known) <= np.minimum(rounding, _SAME_LENGTH * known)).all(axis=1)
        kind[one] = kind[left[same]] = len(distinct)
        distinct.append(one)
    return padded_rows(lengths[distinct], bucket_of_kinds(len(distinct))), kind


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
    count = line.start.shape[0]

    def longer(field: np.ndarray) -> np.ndarray:
        found = np.zeros((segments, *field.shape[1:]), field.dtype)
        found[:count] = field
        return found

    found = Course(*map(longer, line))
    found.start[count:] = line.start[-1:] + line.duration[-1:]
    return found


def padded_rows(rows: Float[np.ndarray, "row subject"], count: int) -> Float[np.ndarray, "more subject"]:
    """The last row repeated until there are `count`."""
    return np.concatenate([rows, np.repeat(rows[-1:], count - len(rows), axis=0)])


def padded_subjects(columns: np.ndarray, count: int) -> np.ndarray:
    """The last subject repeated until there are `count`."""
    missing = count - columns.shape[-1]
    return np.concatenate([columns, np.repeat(columns[..., -1:], missing, axis=-1)], axis=-1)
