"""The exact gradient of a sum over subjects by every parameter of every subject, chunk by chunk."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int

from pkpd.engine.batches import bucket, bucket_of_kinds, chunk_of, kinds, padded, padded_rows
from pkpd.engine.compiler import FEW, jitted
from pkpd.engine.devices import subject_mesh
from pkpd.engine.plan import Plan, plan
from pkpd.engine.replay import ROOM, refuse_failed
from pkpd.engine.rows import Profile
from pkpd.engine.simulate import check
from pkpd.engine.solve import solve
from pkpd.engine.tolerances import Tolerances
from pkpd.events.course import Course
from pkpd.events.doses import Doses, course_of, infused_by
from pkpd.models.model import Model

CHUNK = 64
"""Subjects differentiated together on a CPU: what is noted on the way, and the slopes of the tables, want room too."""

Loss = Callable[[dict[str, Array], Any], Float[Array, " subject"]]


def value_and_gradient(
    loss: Loss,
    model: Model,
    parameters: Mapping[str, Float[np.ndarray, " subject"]],
    doses: Doses,
    times: Float[np.ndarray, " time"],
    data: Any,
    *,
    outputs: tuple[str, ...],
    method: str = "auto",
    tolerances: Tolerances | None = None,
) -> tuple[float, dict[str, Float[np.ndarray, " subject"]]]:
    """(sum over subjects of loss, its derivative by each parameter of each subject).

    loss(values, data) gives one number a subject from outputs `[time, subject]` and the subjects' part of `data`, whose
    arrays end in the subjects; it must be a function of the module, not made anew for each call, or it is compiled
    anew. The numerical solution itself is differentiated, its steps held. `simulate` says what the other arguments
    mean, and what is refused.
    """
    times = np.asarray(times, dtype=float)
    check(model, parameters, doses, times)
    chosen = plan(model, outputs, (), infused_by(doses), method, tolerances)
    line = course_of(doses, len(model.states), float(times[0]), float(times[-1]))
    line = padded(line, bucket(line.start.shape[0], smallest=32))
    durations, kind = kinds(line)
    durations = padded_rows(durations, bucket_of_kinds(durations.shape[0]))
    subjects = line.start.shape[1]
    mesh = subject_mesh()
    together = chunk_of(subjects, jax.default_backend(), mesh.size, CHUNK) * mesh.size
    columns = {name: np.asarray(value, dtype=float) for name, value in parameters.items()}
    # The last subject stands in for those that are missing from the last round.
    rounds = [np.minimum(np.arange(first, first + together), subjects - 1) for first in range(0, subjects, together)]

    shared: tuple[Any, Any] = (kind, times)

    def differentiated(room: int) -> list[_Found]:
        """All rounds; the devices are at work when this returns."""
        found = []
        for members in rounds:
            # NumPy's arrays as they are: putting one on a device waits for what that device is at work on.
            own: tuple[Any, Any, Any, Any] = jax.tree.map(
                lambda field, members=members: np.take(field, members, axis=-1), (columns, line, durations, data)
            )
            found.append(_slopes(loss, replace(chosen, room=room), mesh, *own, *shared))
        return found

    found = _with_room(differentiated, subjects)
    each = np.concatenate([np.asarray(one.loss) for one in found])[:subjects]
    gradient = {name: np.concatenate([np.asarray(one.slopes[name]) for one in found])[:subjects] for name in columns}
    return float(each.sum()), gradient


class _Found(NamedTuple):
    """One round: the loss of each subject and its derivatives; when it failed [h], and the steps of each device."""

    loss: Float[Array, " subject"]
    slopes: dict[str, Float[Array, " subject"]]
    failed_at: Float[Array, " subject"]
    accepted: Int[Array, " device"]


def _with_room(differentiated: Callable[[int], list[_Found]], subjects: int) -> list[_Found]:
    """What is found with room for all steps. Raises `InputError` naming the first subject that failed."""
    room = ROOM
    while True:
        found = differentiated(room)
        failed_at = np.concatenate([np.asarray(one.failed_at) for one in found])[:subjects]
        refuse_failed(failed_at)
        if max(int(np.max(one.accepted)) for one in found) <= room:
            return found
        room *= 4


def _few(loss: Loss, plan: Plan, mesh: Mesh, parameters: Any, line: Course, *_: Any) -> bool:
    return line.start.shape[1] <= FEW * mesh.size


@jitted("loss", "plan", "mesh", little=_few)
def _slopes(
    loss: Loss,
    plan: Plan,
    mesh: Mesh,
    parameters: dict[str, Float[Array, " subject"]],
    line: Course,
    durations: Float[Array, "kind subject"],
    data: Any,
    kind: Int[Array, " segment"],
    times: Float[Array, " time"],
) -> _Found:
    """Each device differentiates its own chunk."""

    def one(
        parameters: dict[str, Array], line: Course, durations: Array, data: Any, kind: Array, times: Array
    ) -> _Found:
        def total(parameters: dict[str, Array]) -> tuple[Array, tuple[Array, Array, Array]]:
            rows = Profile(times, line.start)
            found = solve(plan, parameters, parameters, line, durations, kind, rows)
            each = loss(found.named(plan.names), data)
            if found.outcome is None:
                return jnp.sum(each), (each, jnp.full_like(each, jnp.inf), jnp.zeros(1, dtype=int))
            return jnp.sum(each), (each, found.outcome.failed_at, found.outcome.accepted[None])

        slopes, (each, failed_at, accepted) = jax.grad(total, has_aux=True)(parameters)
        return _Found(each, slopes, failed_at, accepted)

    own = (parameters, line, durations, data)
    split = jax.shard_map(
        one,
        mesh=mesh,
        in_specs=(*jax.tree.map(lambda field: P(*[None] * (field.ndim - 1), "subject"), own), P(), P()),
        out_specs=P("subject"),
        check_vma=False,
    )
    return split(*own, kind, times)
