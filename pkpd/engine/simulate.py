"""Predictions of a model for a batch of subjects: the function that simulating and fitting share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int

from pkpd.engine.devices import subject_mesh
from pkpd.engine.driven import Outcome, Tolerances, integrate
from pkpd.engine.dyadic import dyadic_drive
from pkpd.engine.exact import exact_outputs, exact_outputs_on_grid, segment_states
from pkpd.engine.explicit import explicit_method
from pkpd.engine.system import integral_name, linear_system
from pkpd.errors import InputError
from pkpd.events.timeline import Doses, Timeline, timeline
from pkpd.models.model import Model

CHUNK = 256
"""Subjects solved together: their tables fit a core's cache. More would wait for memory, fewer for the loop."""

_ROUNDING = 4.0 * np.finfo(float).eps
"""Times are known to this part of the last one, and so are the segment lengths that are their differences."""

_SAME_LENGTH = 1e-11
"""Lengths that differ by rounding of times are one, unless it is more than this part of a short one."""


_BY_SUBJECT = {rank: P(*[None] * (rank - 1), "subject") for rank in (1, 2, 3)}
"""Arrays of each rank are split along their last axis, the subjects."""

_OUTCOME_SPECS: Any = Outcome(*(_BY_SUBJECT[rank] for rank in (3, 1, 1, 1)))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Simulation:
    """Predictions and how they were made.

    values: output name -> `[time, subject]`; NaN for a subject whose integration failed.
    failures: subject index -> the reason, with the time.
    """

    times: Float[np.ndarray, " time"]
    values: dict[str, Float[np.ndarray, "time subject"]]
    failures: dict[int, str]
    solver: str
    tolerances: Tolerances
    steps: int
    rejected: int


def simulate(
    model: Model,
    parameters: Mapping[str, Float[np.ndarray, " subject"]],
    doses: Doses,
    times: Float[np.ndarray, " time"],
    *,
    outputs: Sequence[str] | None = None,
    integrals: Sequence[str] = (),
    method: str = "tsit5",
    tolerances: Tolerances | None = None,
    progress: Callable[[int], object] | None = None,
) -> Simulation:
    """Outputs of `model` at `times` [h, ascending, from the start of the simulation] for every subject.

    Arguments: `parameters`, one value per subject each; `doses`, see `pkpd.events`; `outputs`, all by default;
    `integrals`, linear outputs whose integral from the start is added as `<name>_auc`; `progress`, called with
    the number of subjects done. Linear outputs come from the exact propagator; responses are integrated by
    `method` at `tolerances`. At the moment of a dose a value is the one just before it.

    Raises `InputError` for unknown or missing parameters and outputs, values outside their bounds, times that do
    not ascend, and doses before the first time.
    """
    block = model.compartments
    tolerances = tolerances or Tolerances()
    times = np.asarray(times, dtype=float)
    _check(model, parameters, doses, times)
    wanted = tuple(outputs) if outputs is not None else tuple(model.outputs)
    for name in (*wanted, *integrals):
        if name not in model.outputs:
            raise InputError(f"model '{model.name}' has no output '{name}'; it has {', '.join(model.outputs)}")
    for name in integrals:
        if name not in model.outputs_of_linear:
            raise InputError(
                f"no integral of '{name}': only outputs of compartments have one, here "
                f"{', '.join(model.outputs_of_linear)}"
            )

    line = timeline(doses, len(block.states), float(times[0]), float(times[-1]))
    line = _padded(line, _bucket(line.start.shape[0], smallest=32))
    durations, kind = _kinds(line)
    durations = _pad_rows(durations, _bucket(durations.shape[0], smallest=8))
    plan = _Plan(
        model=model,
        responses=any(name in response.names for response in model.responses for name in wanted),
        readouts=tuple(name for name in wanted if name in model.outputs_of_linear),
        integrals=tuple(integrals),
        infused=tuple(block.names[i] for i in line.infused),
        even=_evenly_spaced(times),
        method=explicit_method(method).name,
        tolerances=tolerances,
    )
    subjects = line.start.shape[1]
    mesh = subject_mesh()
    chunk = min(CHUNK, _bucket(subjects, smallest=4))
    together = chunk * mesh.size
    pending = []
    for first in range(0, subjects, together):
        part = slice(first, first + together)
        columns = {name: np.asarray(value, dtype=float)[part] for name, value in parameters.items()}
        arrays = (
            columns,
            durations[:, part],
            line.start[:, part],
            line.jump[:, :, part],
            line.rate[:, :, part],
        )
        filled = jax.tree.map(partial(_pad_subjects, count=together), arrays)
        pending.append(_run(plan, mesh, *filled, kind, times[:, None]))
    return _collect(plan, wanted, times, subjects, together, pending, progress)


@dataclass(frozen=True)
class _Plan:
    """What a compiled solve depends on besides the shapes of its arrays."""

    model: Model
    responses: bool
    readouts: tuple[str, ...]
    integrals: tuple[str, ...]
    infused: tuple[str, ...]
    even: bool
    method: str
    tolerances: Tolerances


@partial(jax.jit, static_argnums=(0, 1))
def _run(
    plan: _Plan,
    mesh: Mesh,
    parameters: dict[str, Float[Array, " batch"]],
    durations: Float[Array, "kind batch"],
    start: Float[Array, "segment batch"],
    jump: Float[Array, "segment compartment batch"],
    rate: Float[Array, "segment infused batch"],
    kind: Int[Array, " segment"],
    times: Float[Array, "time 1"],
) -> tuple[Array, Outcome | None]:
    """Each device solves its own chunk; nothing passes between them, so the split changes no number."""
    solve = jax.shard_map(
        partial(_solve, plan),
        mesh=mesh,
        in_specs=(_BY_SUBJECT[1], _BY_SUBJECT[2], _BY_SUBJECT[2], _BY_SUBJECT[3], _BY_SUBJECT[3], P(), P()),
        out_specs=(_BY_SUBJECT[3], _OUTCOME_SPECS if plan.responses else None),
        check_vma=False,
    )
    return solve(parameters, durations, start, jump, rate, kind, times)


def _solve(
    plan: _Plan,
    parameters: dict[str, Float[Array, " batch"]],
    durations: Float[Array, "kind batch"],
    start: Float[Array, "segment batch"],
    jump: Float[Array, "segment compartment batch"],
    rate: Float[Array, "segment infused batch"],
    kind: Int[Array, " segment"],
    times: Float[Array, "time 1"],
) -> tuple[Array, Outcome | None]:
    model, block = plan.model, plan.model.compartments
    readouts = plan.readouts + tuple(integral_name(name) for name in plan.integrals)
    exact = jnp.zeros((times.shape[0], 0, start.shape[1]))
    if readouts:
        system = linear_system(block, parameters, plan.infused, plan.integrals)
        states = segment_states(system, durations, kind, jump, rate)
        if plan.even:
            exact = exact_outputs_on_grid(system, readouts, start, states, times[:, 0])
        else:
            everyone = jnp.broadcast_to(times, (times.shape[0], start.shape[1]))
            exact = exact_outputs(system, readouts, start, states, everyone)
    if not plan.responses:
        return exact, None

    p = SimpleNamespace(**parameters)
    inputs = tuple(dict.fromkeys(name for r in model.responses for name in r.inputs))
    driving = tuple(name for name in inputs if name in model.outputs_of_linear)
    system = linear_system(block, parameters, plan.infused)
    scheme = explicit_method(plan.method)

    def derivative(y: SimpleNamespace, u: dict[str, Array]) -> tuple[Array, ...]:
        found: dict[str, Array] = {}
        for response in model.responses:
            given = SimpleNamespace(**{name: u[name] if name in u else getattr(y, name) for name in response.inputs})
            found |= response.derivative(y, given, p)
        return tuple(found[name] for response in model.responses for name in response.names)

    def read(x: tuple[Array, ...]) -> dict[str, Array]:
        found = {}
        for name in driving:
            terms = [weight * x[i] for i, weight in system.readouts[name].items()]
            found[name] = sum(terms[1:], terms[0])
        return found

    initial: dict[str, Array] = {}
    for response in model.responses:
        initial |= response.initial(p)
    names = tuple(name for response in model.responses for name in response.names)
    outcome = integrate(
        derivative,
        names,
        tuple(initial[name] for name in names),
        dyadic_drive(system, driving, scheme.fractions, durations),
        read,
        durations,
        kind,
        start,
        jump,
        rate,
        times,
        scheme,
        plan.tolerances,
    )
    return exact, outcome._replace(accepted=outcome.accepted[None], rejected=outcome.rejected[None])


def _collect(
    plan: _Plan,
    wanted: tuple[str, ...],
    times: np.ndarray,
    subjects: int,
    together: int,
    pending: list[tuple[Array, Outcome | None]],
    progress: Callable[[int], object] | None,
) -> Simulation:
    names = tuple(name for response in plan.model.responses for name in response.names)
    readouts = plan.readouts + tuple(integral_name(name) for name in plan.integrals)
    values = {name: np.empty((len(times), subjects)) for name in (*wanted, *readouts[len(plan.readouts) :])}
    failures: dict[int, str] = {}
    steps = rejected = 0
    for number, (exact, outcome) in enumerate(pending):
        first = number * together
        here = slice(first, min(first + together, subjects))
        count = here.stop - here.start
        found = np.asarray(exact)
        for i, name in enumerate(readouts):
            values[name][:, here] = found[:, i, :count]
        if outcome is not None:
            integrated = np.asarray(outcome.values)
            for i, name in enumerate(names):
                if name in values:
                    values[name][:, here] = integrated[:, i, :count]
            failed_at = np.asarray(outcome.failed_at)[:count]
            spent = np.repeat(outcome.accepted + outcome.rejected, together // len(outcome.accepted))
            for j in np.flatnonzero(np.isfinite(failed_at)):
                limit = plan.tolerances.max_steps
                why = f", or the batch ran out of its {limit} steps" if spent[j] >= limit else ""
                failures[first + int(j)] = f"integration gave up at {failed_at[j]:.6g} h: no step was small enough{why}"
            steps += int(outcome.accepted.sum())
            rejected += int(outcome.rejected.sum())
        unsound = ~np.isfinite(found[:, :, :count]).all(axis=(0, 1))
        for j in np.flatnonzero(unsound):
            failures.setdefault(first + int(j), "the linear block is not finite: check its rates and doses")
        if progress is not None:
            progress(count)
    for j in failures:
        for column in values.values():
            column[:, j] = np.nan
    return Simulation(times, values, failures, plan.method, plan.tolerances, steps, rejected)


def _check(model: Model, parameters: Mapping[str, np.ndarray], doses: Doses, times: Float[np.ndarray, " time"]) -> None:
    model.check_parameters(parameters)
    if missing := model.missing_inputs:
        raise InputError(f"model '{model.name}' needs {', '.join(missing)} from a model on its left (>>)")
    subjects = doses.time.shape[1]
    for parameter in model.parameters:
        value = np.asarray(parameters[parameter.symbol], dtype=float)
        if value.shape != (subjects,):
            raise InputError(
                f"parameter '{parameter.symbol}' has shape {value.shape}; it needs one value for each of the "
                f"{subjects} subjects"
            )
        inside = np.isfinite(value) & (value >= parameter.lower) & (value <= parameter.upper)
        if not inside.all():
            j = int(np.flatnonzero(~inside)[0])
            raise InputError(
                f"parameter '{parameter.symbol}' of subject {j} is {value[j]:g} {parameter.unit}; it must be "
                f"finite and between {parameter.lower:g} and {parameter.upper:g}"
            )
    if len(times) < 2 or not np.isfinite(times).all() or not (np.diff(times) > 0).all():
        raise InputError("times must be at least two finite numbers that ascend")
    for name in ("time", "amount", "duration", "lag", "bioavailability"):
        field = getattr(doses, name)
        if field.shape != (len(doses.into), subjects):
            raise InputError(
                f"doses: {name} has shape {field.shape}; it needs one row for each of the {len(doses.into)} doses "
                f"and one column for each of the {subjects} subjects"
            )
        if not np.isfinite(field).all() or (field < 0).any():
            raise InputError(f"doses: every {name} must be finite and not negative")
    states = model.compartments.names
    if not all(0 <= into < len(states) for into in doses.into):
        raise InputError(
            f"doses: into must be 0 to {len(states) - 1}, the place of a compartment in {', '.join(states)}"
        )
    if doses.time.size and float(doses.time.min()) < times[0]:
        raise InputError(f"a dose at {doses.time.min():g} h lies before the first time, {times[0]:g} h")


def _evenly_spaced(times: Float[np.ndarray, " time"]) -> bool:
    """Whether the times are a grid, up to the rounding of the last of them."""
    grid = np.linspace(times[0], times[-1], len(times))
    return bool((np.abs(times - grid) <= _ROUNDING * np.abs(times).max()).all())


def _kinds(line: Timeline) -> tuple[Float[np.ndarray, "kind subject"], np.ndarray]:
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


def _bucket(count: int, smallest: int) -> int:
    """The first of smallest, 4 smallest, 16 smallest .. that holds `count`: few shapes, so few compilations."""
    size = smallest
    while size < count:
        size *= 4
    return size


def _padded(line: Timeline, segments: int) -> Timeline:
    """Segments of length 0 added at the end: they cost nothing and change nothing."""
    extra = segments - line.start.shape[0]
    end = np.repeat((line.start[-1:] + line.duration[-1:]), extra, axis=0)

    def nothing(field: np.ndarray) -> np.ndarray:
        return np.concatenate([field, np.zeros((extra, *field.shape[1:]))])

    return Timeline(
        np.concatenate([line.start, end]),
        nothing(line.duration),
        nothing(line.jump),
        nothing(line.rate),
        line.infused,
    )


def _pad_rows(rows: Float[np.ndarray, "row subject"], count: int) -> Float[np.ndarray, "more subject"]:
    return np.concatenate([rows, np.repeat(rows[-1:], count - len(rows), axis=0)])


def _pad_subjects(columns: Float[np.ndarray, "*any subject"], count: int) -> Float[np.ndarray, "*any count"]:
    """Repeat the last subject until there are `count`."""
    missing = count - columns.shape[-1]
    return np.concatenate([columns, np.repeat(columns[..., -1:], missing, axis=-1)], axis=-1)
