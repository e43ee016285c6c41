"""The exact gradient of a sum over subjects by every parameter of every subject, chunk by chunk."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.engine.batches import bucket, bucket_of_kinds, chunk_of, kinds, padded, padded_rows, padded_subjects
from pkpd.engine.lockstep import Outcome, Steps
from pkpd.engine.plan import Plan, plan
from pkpd.engine.replay import ROOM, noted_steps
from pkpd.engine.rows import Profile
from pkpd.engine.simulate import check
from pkpd.engine.solve import solve
from pkpd.engine.tolerances import Tolerances
from pkpd.events.course import Course
from pkpd.events.doses import Doses, course_of, infused_by
from pkpd.models.model import Model

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
    chunk = chunk_of(subjects, jax.default_backend(), jax.device_count())
    chunks = []
    for number, first in enumerate(range(0, subjects, chunk)):
        part = slice(first, first + chunk)
        columns = {name: np.asarray(value, dtype=float)[part] for name, value in parameters.items()}
        own, given = jax.tree.map(lambda field, part=part: np.asarray(field)[..., part], (line, data))
        fill = partial(padded_subjects, count=chunk)
        columns, own, lengths, given = jax.tree.map(fill, (columns, own, durations[:, part], given))
        present = np.arange(chunk) < subjects - first
        device = jax.devices()[number % jax.device_count()]
        chunks.append(jax.device_put(_Chunk(columns, own, lengths, kind, times, given, present), device))
    walks = [_walk(chosen, part) for part in chunks]  # all devices at work before the first is waited for
    pending = [_slopes(loss, chosen, part, walk) for part, walk in zip(chunks, walks, strict=True)]
    total = sum(float(value) for value, _ in pending)
    gradient = {
        name: np.concatenate([np.asarray(slopes[name]) for _, slopes in pending])[:subjects] for name in parameters
    }
    return total, gradient


class _Chunk(NamedTuple):
    parameters: dict[str, Array]
    line: Course
    durations: Array
    kind: Any
    times: Any
    data: Any
    present: Array


def _walk(plan: Plan, part: _Chunk) -> Outcome | None:
    return None if plan.way == "exact" else _noted(replace(plan, room=ROOM), part)


def _slopes(loss: Loss, plan: Plan, part: _Chunk, walk: Outcome | None) -> tuple[Array, dict[str, Array]]:
    steps = None
    if walk is not None:
        steps = noted_steps(lambda room: walk if room == ROOM else _noted(replace(plan, room=room), part))
    return _differentiated(loss, plan, part, steps)


@partial(jax.jit, static_argnums=0)
def _noted(plan: Plan, part: _Chunk) -> Outcome | None:
    # Rows are not what is asked for: the two ends stand for all.
    rows = Profile(part.times[jnp.array([0, -1])], part.line.start)
    return solve(plan, part.parameters, part.parameters, part.line, part.durations, part.kind, rows).outcome


@partial(jax.jit, static_argnums=(0, 1))
def _differentiated(loss: Loss, plan: Plan, part: _Chunk, steps: Steps | None) -> tuple[Array, dict[str, Array]]:
    def total(parameters: dict[str, Array]) -> Array:
        rows = Profile(part.times, part.line.start)
        found = solve(plan, parameters, parameters, part.line, part.durations, part.kind, rows, steps=steps)
        each = loss({name: found.values[:, i] for i, name in enumerate(plan.names)}, part.data)
        return jnp.sum(jnp.where(part.present, each, 0.0))

    return jax.value_and_grad(total)(part.parameters)
