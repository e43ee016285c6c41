"""Profiles of a model for a batch of subjects under doses that are written out."""

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int

from pkpd.engine.batches import Batch, Subjects, batch_of, evenly_spaced, few_each, on_each
from pkpd.engine.bounds import check_bounds
from pkpd.engine.compiler import jitted
from pkpd.engine.exact import Grid
from pkpd.engine.field import response_names
from pkpd.engine.plan import Plan, plan
from pkpd.engine.rows import Profile
from pkpd.engine.sheets import Sheet, given_back, lent, taken
from pkpd.engine.solve import Chunk, solve
from pkpd.engine.system import integral_name
from pkpd.engine.tolerances import Tolerances
from pkpd.errors import InputError
from pkpd.events.doses import Doses, infused_by
from pkpd.models.model import Model

_AT_WORK = 2
"""Rounds that devices have at once: the next, while what the one before found is copied. More would only be kept."""

_ROWS = 128
"""Rows copied together; with three outputs of a chunk, less than a core's cache."""


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
    method: str = "auto",
    tolerances: Tolerances | None = None,
    progress: Callable[[int], object] | None = None,
) -> Simulation:
    """Outputs of `model` at `times` [h, ascending, from the start of the simulation] for every subject.

    Arguments: `parameters`, one value per subject each; `doses`, see `pkpd.events`; `outputs`, all by default;
    `integrals`, linear outputs whose integral from the start is added as `<name>_auc`; `progress`, called with
    the number of subjects done. Outputs of compartments come from the exact propagator unless a response acts back
    on these; what is integrated is integrated by `method` (see `pkpd.engine.plan.plan`) at `tolerances`. At the
    moment of a dose a value is the one just before it.

    Raises `InputError` for unknown or missing parameters and outputs, values outside their bounds, times that do
    not ascend, and doses before the first time.
    """
    times = np.asarray(times, dtype=float)
    check(model, parameters, doses, times)
    wanted = tuple(outputs) if outputs is not None else tuple(model.outputs)
    chosen = plan(model, wanted, tuple(integrals), infused_by(doses), method, tolerances)

    even = evenly_spaced(times)
    found = len(times) * len(chosen.names)
    batch = batch_of(model, parameters, doses, times, found, grid=even and chosen.exactly_read)

    sheets = chosen.written if batch.long and (even or not chosen.exactly_read) else ()

    def solved(members: Int[np.ndarray, " _"]) -> Solved:
        """The subjects in these places, together."""
        dealt = batch.dealt(batch.subjects, members)
        onto = taken(len(times), sheets, len(members), batch.mesh) if sheets else ()
        return _solved(chosen, batch.mesh, even, dealt, batch.kind, batch.first_kind, times, onto)

    return _collect(chosen, wanted, times, batch, solved, bool(sheets), progress)


class Solved(NamedTuple):
    """Values of `Plan.names`, some in each array; when a subject's integration failed [h], infinite if it did not;
    steps of each chunk."""

    values: tuple[Float[Any, "time _ subject"], ...]
    failed_at: Float[Any, " subject"]
    accepted: Int[Any, " chunk"]
    rejected: Int[Any, " chunk"]


@jitted("plan", "mesh", "even", little=few_each, donated=("sheets",))
def _solved(
    plan: Plan,
    mesh: Mesh,
    even: bool,
    subjects: Subjects,
    kind: Int[Any, " segment"],
    first_kind: Int[Any, " segment"] | None,
    times: Float[Any, " time"],
    sheets: tuple[Sheet, ...],
) -> Solved:
    """Each device solves its own chunks."""

    def one(
        subjects: Subjects, kind: Array, first_kind: Array | None, times: Array, sheets: tuple[Sheet, ...] = ()
    ) -> Solved:
        matrix, line, durations, firsts = subjects
        parameters = dict(zip(plan.model.symbols, matrix, strict=True))
        stride = (times[-1] - times[0]) / (times.shape[0] - 1)
        grid = None if firsts is None or first_kind is None else Grid(*firsts, first_kind, stride)
        chunk = Chunk(parameters, line, durations, kind, Profile(times, line.start), even, grid)
        values, _, outcome = solve(plan, chunk, sheets=sheets)
        if outcome is None:
            none = jnp.zeros(1, dtype=int)
            return Solved(values, jnp.full_like(line.start[0], jnp.inf), none, none)
        return Solved(values, outcome.failed_at, outcome.accepted[None], outcome.rejected[None])

    by_subject: Any = Solved(P(None, None, "subject"), *(P("subject"),) * 3)  # type: ignore[arg-type]
    return on_each(mesh, one, (subjects,), (kind, first_kind, times), by_subject, sheets)


def _without_failed(
    solved: Callable[[np.ndarray], Solved], members: Int[np.ndarray, " _"], found: Solved, chunk: int
) -> Solved:
    """Where some failed, the sound ones once more, with one of them in the place of each that did not.

    Subjects of a chunk share their steps, also the small ones on the way to a failure; so the others get the numbers
    they would have had without it.
    """
    failed_at = np.asarray(found.failed_at)
    failed = np.isfinite(failed_at)
    if not failed.any() or failed.all():
        return found
    places = np.arange(len(members))
    for start in range(0, len(members), chunk):
        here = places[start : start + chunk]  # a view: `places` changes with it
        mates = here[~failed[here]]
        if mates.size:
            here[failed[here]] = mates[0]
    again = solved(members[places])
    return Solved(
        values=jax.tree.map(lambda values: jnp.where(failed, jnp.nan, values), again.values),
        failed_at=jnp.where(failed, failed_at, again.failed_at),
        accepted=found.accepted + again.accepted,
        rejected=found.rejected + again.rejected,
    )


def _collect(
    plan: Plan,
    wanted: tuple[str, ...],
    times: np.ndarray,
    batch: Batch,
    solved: Callable[[np.ndarray], Solved],
    on_sheets: bool,
    progress: Callable[[int], object] | None,
) -> Simulation:
    kept = (*wanted, *(integral_name(name) for name in plan.integrals))
    new = lent if batch.long else np.empty
    values = {name: new((len(times), batch.count)) for name in kept}
    failures: dict[int, str] = {}
    unsound: list[int] = []
    steps = rejections = 0
    rounds = list(enumerate(batch.rounds))
    at_work = deque((number, members, solved(members)) for number, members in rounds[:_AT_WORK])
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        while at_work:
            number, members, found = at_work.popleft()
            found = _without_failed(solved, members, found, batch.chunk)
            first = number * batch.together
            count = min(batch.together, batch.count - first)
            copies = _copies(threads, plan, found, values, first, count)
            failed_at = np.asarray(found.failed_at)[:count]
            accepted, rejected = np.asarray(found.accepted), np.asarray(found.rejected)
            spent = np.repeat(accepted + rejected, batch.chunk)
            for j in np.flatnonzero(np.isfinite(failed_at)):
                limit = plan.tolerances.max_steps
                why = f", or the batch ran out of its {limit} steps" if spent[j] >= limit else ""
                failures[first + int(j)] = f"integration gave up at {failed_at[j]:.6g} h: no step was small enough{why}"
            steps += int(accepted.sum())
            rejections += int(rejected.sum())
            unsound += chain.from_iterable(copy.result() for copy in copies)
            if on_sheets:
                given_back(found.values)
            at_work.extend((number, members, solved(members)) for number, members in rounds[number + _AT_WORK :][:1])
            if progress is not None:
                progress(count)
    for j in unsound:
        failures.setdefault(j, "the linear block is not finite: check its rates and doses")
    for j in failures:
        for column in values.values():
            column[:, j] = np.nan
    return Simulation(times, values, failures, plan.solver, plan.tolerances, steps, rejections)


def _copies(
    threads: ThreadPoolExecutor, plan: Plan, found: Solved, values: dict[str, np.ndarray], first: int, count: int
) -> list[Future[list[int]]]:
    """Begin to copy what was found for `count` subjects into the arrays for it, from subject `first` on."""
    integrated = set(response_names(plan.model))  # finite, or `failed_at` says from when on they are not
    names, copies = iter(plan.names), []
    for piece in found.values:
        here = tuple(islice(names, piece.shape[1]))
        into = [values.get(name) for name in here]
        unwatched = not integrated.issuperset(here)
        for shard in piece.addressable_shards:  # each copied from where it is, and once
            start = shard.index[2].start or 0
            part = np.asarray(shard.data)[:, :, : max(count - start, 0)]
            copies.append(threads.submit(_copied, part, into, first + start, unwatched))
    return copies


def _copied(
    found: Float[np.ndarray, "time output subject"], into: list[np.ndarray | None], start: int, looked_through: bool
) -> list[int]:
    """Copy the outputs into the arrays for them, if any, from subject `start` on; if they are looked through, who is
    not finite throughout."""
    total, here = np.zeros(found.shape[2]), slice(start, start + found.shape[2])
    for first in range(0, len(found), _ROWS):  # so few rows at a time that they are summed where they were copied
        part = found[first : first + _ROWS]
        for i, values in enumerate(into):
            if values is not None:
                values[first : first + _ROWS, here] = part[:, i]
        if looked_through:
            total += part.sum(axis=(0, 1))
    return [start + int(j) for j in np.flatnonzero(~np.isfinite(total))]


def check(model: Model, parameters: Mapping[str, np.ndarray], doses: Doses, times: Float[np.ndarray, " time"]) -> None:
    """Raise `InputError` for what `simulate` refuses."""
    model.check_parameters(parameters)
    model.check_complete()
    subjects = doses.time.shape[1]
    for parameter in model.parameters:
        value = np.asarray(parameters[parameter.symbol], dtype=float)
        if value.shape != (subjects,):
            raise InputError(
                f"parameter '{parameter.symbol}' has shape {value.shape}; it needs one value for each of the "
                f"{subjects} subjects"
            )
    check_bounds(model, parameters)
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
    states = tuple(state.name for state in model.states)
    if not all(0 <= into < len(states) for into in doses.into):
        raise InputError(f"doses: into must be 0 to {len(states) - 1}, the place of a state in {', '.join(states)}")
    if doses.time.size and float(doses.time.min()) < times[0]:
        raise InputError(f"a dose at {doses.time.min():g} h lies before the first time, {times[0]:g} h")
