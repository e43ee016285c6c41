"""One chunk of subjects through their segments: exactly where the model is linear, integrated where it is not.

Pure JAX; `simulate` and `predict` both end here.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from pkpd.engine.adjoint import reversible
from pkpd.engine.dyadic import DyadicDrive, dyadic_drive, over_fractions
from pkpd.engine.exact import (
    Grid,
    exact_outputs,
    exact_outputs_on_grid,
    over_grid,
    over_lengths,
    over_rows,
    propagators,
    segment_states,
)
from pkpd.engine.field import (
    NO_COMPARTMENTS,
    driven,
    initial_responses,
    read_compartments,
    whole,
    with_derived,
)
from pkpd.engine.lockstep import Numbers, Outcome, Segments, Steps, integrate
from pkpd.engine.method import Column, Columns
from pkpd.engine.plan import Plan, method_of
from pkpd.engine.precision import check_double_precision
from pkpd.engine.replay import replayed
from pkpd.engine.rows import Profile, Rows
from pkpd.engine.sheets import Sheet
from pkpd.engine.step import Dynamics
from pkpd.engine.system import linear_system
from pkpd.events.course import Course

Parameters = dict[str, Float[Array, "..."]]


class Solution(NamedTuple):
    """Values of `Plan.names` and of all integrated states at the rows, and how the integration went.

    values: some outputs each, as they were found, in the order of the names; put together they would be copied. Those
    of a subject whose integration failed are not to be used: `outcome` says whose, `sound` is without them.
    """

    values: tuple[Float[Array, "time _ batch"], ...]
    integrated: Float[Array, "time state batch"]
    outcome: Outcome | None

    def named(self, names: Sequence[str]) -> dict[str, Float[Array, "time batch"]]:
        """Each output by its name."""
        columns = (piece[:, i] for piece in self.values for i in range(piece.shape[1]))
        return dict(zip(names, columns, strict=True))

    @property
    def sound(self) -> "Solution":
        """The same with NaN for who failed: everything written once more, so not for long profiles."""
        if self.outcome is None:
            return self
        failed = (self.outcome.failed_at < jnp.inf)[None, None]
        values, integrated = jax.tree.map(lambda some: jnp.where(failed, jnp.nan, some), (self.values, self.integrated))
        return self._replace(values=values, integrated=integrated)


class Chunk(NamedTuple):
    """Subjects solved together: what they go through, and where their values are wanted.

    parameters: `[batch]`, or `[segment, batch]` where one changes (then every segment is a kind of its own). Segment s
    of `line` lasts `durations[kind[s]]` [h]. even: whether the rows are a profile at evenly spaced times, which outputs
    of compartments take as a `grid`. changed: the parameters at the rows, if any changes.
    """

    parameters: Parameters
    line: Course
    durations: Float[Array, "kind batch"]
    kind: Int[Array, " segment"]
    rows: Rows | Profile
    even: bool = False
    grid: Grid | None = None
    changed: Parameters | None = None

    @property
    def at_rows(self) -> Parameters:
        """The parameters the rows are read with."""
        return self.parameters if self.changed is None else self.changed

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and subjects."""
        return self.rows.height, self.line.start.shape[1]


def solve(plan: Plan, chunk: Chunk, steps: Steps | None = None, sheets: tuple[Sheet, ...] = ()) -> Solution:
    """Values at the rows of one chunk of subjects.

    steps: those of an earlier solve, to be walked again as they are. sheets: if any, what `plan.written` is written on,
    of rows on a `grid` or none of compartments. Raises `InputError` where JAX is set to 32 bits.
    """
    check_double_precision()
    found = _solve_whole(plan, chunk, steps) if plan.way == "whole" else _solve_apart(plan, chunk, steps, sheets)
    if not plan.derived:
        return found
    known = found.named(plan.solved)
    like = next(iter(known.values()))
    derived = with_derived(plan.model, known, plan.derived, SimpleNamespace(**_at_every_row(chunk)))
    more = ((derived[name] + jnp.zeros_like(like))[:, None] for name in plan.derived)
    return found._replace(values=(*found.values, *more))


def _solve_apart(plan: Plan, chunk: Chunk, steps: Steps | None, sheets: tuple[Sheet, ...]) -> Solution:
    block = plan.model.linear or NO_COMPARTMENTS
    infused = sum(i < len(block.states) for i in plan.infused)
    readouts = plan.solved[: len(plan.readouts) + len(plan.integrals)]
    inputs = plan.model.sources(name for response in plan.model.responses for name in response.inputs)
    driving = () if plan.way == "exact" else tuple(name for name in inputs if name in plan.model.outputs_of_linear)
    line, (height, batch) = chunk.line, chunk.shape
    found, drive, linear = (), None, jnp.zeros((line.start.shape[0], 0, batch))
    if readouts or driving:
        found, fed = _compartments(plan, chunk, readouts, driving, sheets[0] if sheets and readouts else None)
        drive, linear = fed or (drive, linear)
    if plan.way == "exact":
        return Solution(found, jnp.zeros((height, 0, batch)), None)

    method = method_of(plan)
    dynamics = Dynamics(
        field=lambda p: driven(plan.model, p),
        read=lambda x, p: read_compartments(plan.model, x, p) if driving else {},
        fed=tuple(i - len(block.states) for i in plan.infused[infused:]),
        method=method,
    )
    numbers = Numbers(
        initial=initial_responses(plan.model, _first(chunk.parameters)),
        constant=_constant(chunk.parameters),
        drive=drive,
        segments=_segments(chunk, linear, len(block.states), infused),
        scale=_scale(plan, line)[len(block.states) :],
    )
    walked, outcome = _walk(plan, dynamics, numbers, chunk.rows, steps, sheets[-1] if sheets else None)
    return Solution((*found, walked), walked, outcome)


def _compartments(
    plan: Plan, chunk: Chunk, readouts: tuple[str, ...], driving: tuple[str, ...], sheet: Sheet | None
) -> tuple[tuple[Array, ...], tuple[DyadicDrive, Float[Array, "segment state batch"]] | None]:
    """The readouts at the rows; what drives the responses if anything does, and the states each segment begins with."""
    parameters, line, durations, rows = chunk.parameters, chunk.line, chunk.durations, chunk.rows
    block = plan.model.linear or NO_COMPARTMENTS
    own = tuple(block.names[i] for i in plan.infused if i < len(block.states))
    system = linear_system(block, parameters, own, plan.integrals)
    fractions = method_of(plan).fractions if driving else ()
    grid, place = chunk.grid, rows.rows() if isinstance(rows, Profile) else rows
    spans = {"segments": over_lengths(durations)}
    if readouts:
        spans |= {"rows": over_rows(place)} if grid is None else over_grid(grid)
    # Long profiles are for much work: there it counts that fractions of a step need no squarings.
    together = driving and not chunk.even and not plan.integrals
    if together:
        spans["fractions"] = over_fractions(durations, fractions)
    made = propagators(system, spans)
    entering, rate = line.jump[:, : len(block.states)], line.rate[:, : len(own)]
    states = segment_states(system, made["segments"], chunk.kind, entering, rate, line.clears)

    found: tuple[Array, ...] = ()
    if readouts and grid is not None:
        found = (exact_outputs_on_grid(system, readouts, states, grid, rows.height, made, sheet),)
    elif readouts:
        weights = linear_system(block, chunk.at_rows, own, plan.integrals).readouts
        found = (exact_outputs(system, readouts, states, place, made["rows"], weights),)
    if not driving:
        return found, None
    # What drives has no integrals: they are the last states, and no other depends on them.
    source = linear_system(block, parameters, own) if plan.integrals else system
    if not together:
        made = propagators(source, {"fractions": over_fractions(durations, fractions)})
    return found, (dyadic_drive(source, driving, fractions, made["fractions"]), states[:, : source.size])


def _walk(
    plan: Plan,
    dynamics: Dynamics,
    numbers: Numbers,
    rows: Rows | Profile,
    steps: Steps | None,
    sheet: Sheet | None = None,
) -> tuple[Float[Array, "time state batch"], Outcome | None]:
    """The integrated states at the rows: by steps of their own, or by those given."""
    if steps is None and not plan.room:
        outcome = integrate(dynamics, numbers, rows, plan.tolerances, sheet=sheet)
        return outcome.values, outcome
    place = rows.rows() if isinstance(rows, Profile) else rows
    if steps is None:
        outcome = reversible(dynamics, plan.tolerances, plan.room)(numbers, place)
        return outcome.values, outcome
    return replayed(dynamics, numbers, place, steps), None


def _solve_whole(plan: Plan, chunk: Chunk, steps: Steps | None) -> Solution:
    line, block = chunk.line, plan.model.linear or NO_COMPARTMENTS
    compartments = len(block.states)
    nothing = jnp.zeros_like(line.start[0])
    integrals = (nothing,) * len(plan.integrals)
    dynamics = Dynamics(
        field=lambda p: whole(plan.model, plan.integrals, p),
        read=lambda x, p: {},
        fed=plan.infused,
        method=method_of(plan),
    )
    responses = initial_responses(plan.model, _first(chunk.parameters))
    numbers = Numbers(
        initial=(nothing,) * compartments + responses + integrals,
        constant=_constant(chunk.parameters),
        drive=None,
        segments=_segments(chunk, line.jump[:, :0], 0, 0),
        scale=_scale(plan, line) + tuple(jnp.ones_like(nothing) for _ in integrals),
    )
    integrated, outcome = _walk(plan, dynamics, numbers, chunk.rows, steps)
    amounts = tuple(integrated[:, i] for i in range(compartments))
    read = read_compartments(plan.model, amounts, _at_every_row(chunk))
    values = [read[name][:, None] for name in plan.readouts]
    states = integrated[:, compartments:]
    return Solution((*values, states[:, len(responses) :], states[:, : len(responses)]), integrated, outcome)


def _at_every_row(chunk: Chunk) -> dict[str, Float[Array, "row batch"]]:
    return {
        name: value if value.ndim == 2 else jnp.broadcast_to(value[None], chunk.shape)
        for name, value in chunk.at_rows.items()
    }


def _segments(chunk: Chunk, linear: Float[Array, "segment linear batch"], before: int, fed_before: int) -> Segments:
    """The segments as the integrated states see them, the first `before` states being solved elsewhere."""
    line = chunk.line
    return Segments(
        durations=chunk.durations,
        kind=chunk.kind,
        start=line.start,
        linear=linear,
        clears=line.clears,
        jump=line.jump[:, before:],
        rate=line.rate[:, fed_before:],
        parameters={name: value for name, value in chunk.parameters.items() if value.ndim == 2},
    )


def _constant(parameters: Parameters) -> dict[str, Column]:
    return {name: value for name, value in parameters.items() if value.ndim == 1}


def _first(parameters: Parameters) -> dict[str, Column]:
    return {name: value if value.ndim == 1 else value[0] for name, value in parameters.items()}


def _scale(plan: Plan, line: Course) -> Columns:
    """What `atol` is a part of: the largest dose for amounts and for what is dosed, 1 for the rest."""
    given = jnp.sum(jnp.max(jnp.abs(line.jump), axis=0), axis=0)
    given = given + jnp.sum(jnp.max(line.rate * line.duration[:, None], axis=0), axis=0)
    given = jnp.where(given > 0, given, 1.0)
    compartments = len((plan.model.linear or NO_COMPARTMENTS).states)
    dosed = {route.into for route in plan.model.routes}
    return tuple(
        given if i < compartments or state.name in dosed else jnp.ones_like(given)
        for i, state in enumerate(plan.model.states)
    )
