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

from pkpd.engine.batches import Subjects, batch_of, few_each, on_each
from pkpd.engine.compiler import jitted
from pkpd.engine.plan import Plan, plan
from pkpd.engine.replay import ROOM, refuse_failed
from pkpd.engine.rows import Profile
from pkpd.engine.simulate import check
from pkpd.engine.solve import Chunk, solve
from pkpd.engine.tolerances import Tolerances
from pkpd.events.doses import Doses, infused_by
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
    batch = batch_of(model, parameters, doses, times, found=1 + len(model.symbols), most=CHUNK)

    def differentiated(room: int) -> list[_Found]:
        """All rounds; the devices are at work when this returns."""
        roomy = replace(chosen, room=room)
        each = (batch.dealt((batch.subjects, data), members) for members in batch.rounds)
        return [_slopes(roomy, batch.mesh, loss, own, part, batch.kind, times) for own, part in each]

    found = _with_room(differentiated, batch.count)
    lost = np.concatenate([np.asarray(one.loss) for one in found])[: batch.count]
    slopes = np.concatenate([np.asarray(one.slopes) for one in found], axis=1)[:, : batch.count]
    return float(lost.sum()), dict(zip(model.symbols, slopes, strict=True))


class _Found(NamedTuple):
    """One round: the loss of each subject and its derivatives; when it failed [h], and the steps of each chunk."""

    loss: Float[Array, " subject"]
    slopes: Float[Array, "parameter subject"]
    failed_at: Float[Array, " subject"]
    accepted: Int[Array, " chunk"]


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


@jitted("plan", "mesh", "loss", little=few_each)
def _slopes(
    plan: Plan,
    mesh: Mesh,
    loss: Loss,
    subjects: Subjects,
    data: Any,
    kind: Int[Any, " segment"],
    times: Float[Any, " time"],
) -> _Found:
    """Each device differentiates its own chunks."""

    def one(subjects: Subjects, data: Any, kind: Array, times: Array) -> _Found:
        matrix, line, durations, _ = subjects

        def total(matrix: Array) -> tuple[Array, tuple[Array, Array, Array]]:
            parameters = dict(zip(plan.model.symbols, matrix, strict=True))
            found = solve(plan, Chunk(parameters, line, durations, kind, Profile(times, line.start)))
            each = loss(found.named(plan.names), data)
            if found.outcome is None:
                return jnp.sum(each), (each, jnp.full_like(each, jnp.inf), jnp.zeros(1, dtype=int))
            return jnp.sum(each), (each, found.outcome.failed_at, found.outcome.accepted[None])

        slopes, (each, failed_at, accepted) = jax.grad(total, has_aux=True)(matrix)
        return _Found(each, slopes, failed_at, accepted)

    by_subject: Any = _Found(P("subject"), P(None, "subject"), P("subject"), P("subject"))  # type: ignore[arg-type]
    return on_each(mesh, one, (subjects, data), (kind, times), by_subject)
