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
    exact_outputs,
    exact_outputs_on_grid,
    over_rows,
    over_segments,
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
from pkpd.engine.propagator import Sparse
from pkpd.engine.replay import replayed
from pkpd.engine.rows import Profile, Rows
from pkpd.engine.step import Dynamics
from pkpd.engine.system import LinearSystem, linear_system
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


def solve(
    plan: Plan,
    parameters: Parameters,
    at_rows: Parameters,
    line: Course,
    durations: Float[Array, "kind batch"],
    kind: Int[Array, " segment"],
    rows: Rows | Profile,
    grid: bool = False,
    steps: Steps | None = None,
) -> Solution:
    """Values at `rows` for one chunk of subjects.

    parameters: `[batch]`, or `[segment, batch]` where one changes (then every segment is a kind of its own); at_rows:
    the same at the rows. Segment s of `line` lasts `durations[kind[s]]` [h]. grid: whether the rows are a profile at
    evenly spaced times. steps: those of an earlier solve, to be walked again as they are. Raises `InputError` where JAX
    is set to 32 bits.
    """
    check_double_precision()
    solver = _solve_whole if plan.way == "whole" else _solve_apart
    found = solver(plan, parameters, at_rows, line, durations, kind, rows, grid, steps)
    if not plan.derived:
        return found
    known = found.named(plan.solved)
    like = next(iter(known.values()))
    derived = with_derived(plan.model, known, plan.derived, SimpleNamespace(**_at_every_row(at_rows, like.shape)))
    more = ((derived[name] + jnp.zeros_like(like))[:, None] for name in plan.derived)
    return found._replace(values=(*found.values, *more))


def _solve_apart(
    plan: Plan,
    parameters: Parameters,
    at_rows: Parameters,
    line: Course,
    durations: Float[Array, "kind batch"],
    kind: Int[Array, " segment"],
    rows: Rows | Profile,
    grid: bool,
    steps: Steps | None,
) -> Solution:
    block = plan.model.linear or NO_COMPARTMENTS
    infused = sum(i < len(block.states) for i in plan.infused)
    readouts = plan.solved[: len(plan.readouts) + len(plan.integrals)]
    inputs = plan.model.sources(name for response in plan.model.responses for name in response.inputs)
    driving = () if plan.way == "exact" else tuple(name for name in inputs if name in plan.model.outputs_of_linear)
    batch = line.start.shape[1]
    found, drive, linear = (), None, jnp.zeros((line.start.shape[0], 0, batch))
    if readouts or driving:
        found, fed = _compartments(plan, parameters, at_rows, line, durations, kind, rows, grid, readouts, driving)
        drive, linear = fed or (drive, linear)
    if plan.way == "exact":
        return Solution(found, jnp.zeros((rows.height, 0, batch)), None)

    constant, changing = _apart(parameters)
    method = method_of(plan)
    dynamics = Dynamics(
        field=lambda p: driven(plan.model, p),
        read=lambda x, p: read_compartments(plan.model, x, p) if driving else {},
        fed=tuple(i - len(block.states) for i in plan.infused[infused:]),
        method=method,
    )
    numbers = Numbers(
        initial=initial_responses(plan.model, _first(parameters)),
        constant=constant,
        drive=drive,
        segments=_segments(line, durations, kind, linear, len(block.states), infused, changing),
        scale=_scale(plan, line)[len(block.states) :],
    )
    walked, outcome = _walk(plan, dynamics, numbers, rows, steps)
    return Solution((*found, walked), walked, outcome)


def _compartments(
    plan: Plan,
    parameters: Parameters,
    at_rows: Parameters,
    line: Course,
    durations: Float[Array, "kind batch"],
    kind: Int[Array, " segment"],
    rows: Rows | Profile,
    grid: bool,
    readouts: tuple[str, ...],
    driving: tuple[str, ...],
) -> tuple[tuple[Array, ...], tuple[DyadicDrive, Float[Array, "segment state batch"]] | None]:
    """The readouts at the rows; what drives the responses if anything does, and the states each segment begins with."""
    block = plan.model.linear or NO_COMPARTMENTS
    own = tuple(block.names[i] for i in plan.infused if i < len(block.states))
    system = linear_system(block, parameters, own, plan.integrals)
    # What drives has no integrals.
    source = linear_system(block, parameters, own) if plan.integrals and driving else system
    fractions = method_of(plan).fractions if driving else ()
    profile = rows if grid and isinstance(rows, Profile) else None
    place = rows.rows() if isinstance(rows, Profile) else rows
    spans = {"segments": over_segments(durations)}
    if readouts and profile is None:
        spans["rows"] = over_rows(place)
    # Long profiles are for much work: there it counts that fractions of a step need no squarings.
    together = driving and source is system and profile is None
    if together:
        spans["fractions"] = over_fractions(durations, fractions)
    made = propagators(system, spans)

    def at_starts(system: LinearSystem, steps: Sparse) -> Float[Array, "segment state batch"]:
        entering, rate = line.jump[:, : len(block.states)], line.rate[:, : len(own)]
        return segment_states(system, steps, kind, entering, rate, line.clears)

    states = at_starts(system, made["segments"])
    found: tuple[Array, ...] = ()
    if readouts and profile is not None:
        found = (exact_outputs_on_grid(system, readouts, line.start, states, profile.times),)
    elif readouts:
        weights = linear_system(block, at_rows, own, plan.integrals).readouts
        found = (exact_outputs(system, readouts, states, place, made["rows"], weights),)
    if not driving:
        return found, None
    if not together:
        made = propagators(source, {"fractions": over_fractions(durations, fractions)})
    if source is not system:
        states = at_starts(source, propagators(source, {"segments": over_segments(durations)})["segments"])
    return found, (dyadic_drive(source, driving, fractions, made["fractions"]), states)


def _walk(
    plan: Plan, dynamics: Dynamics, numbers: Numbers, rows: Rows | Profile, steps: Steps | None
) -> tuple[Float[Array, "time state batch"], Outcome | None]:
    """The integrated states at the rows: by steps of their own, or by those given."""
    if steps is None and not plan.room:
        outcome = integrate(dynamics, numbers, rows, plan.tolerances)
        return outcome.values, outcome
    place = rows.rows() if isinstance(rows, Profile) else rows
    if steps is None:
        outcome = reversible(dynamics, plan.tolerances, plan.room)(numbers, place)
        return outcome.values, outcome
    return replayed(dynamics, numbers, place, steps), None


def _solve_whole(
    plan: Plan,
    parameters: Parameters,
    at_rows: Parameters,
    line: Course,
    durations: Float[Array, "kind batch"],
    kind: Int[Array, " segment"],
    rows: Rows | Profile,
    grid: bool,
    steps: Steps | None,
) -> Solution:
    block = plan.model.linear or NO_COMPARTMENTS
    compartments = len(block.states)
    constant, changing = _apart(parameters)
    nothing = jnp.zeros_like(line.start[0])
    integrals = (nothing,) * len(plan.integrals)
    dynamics = Dynamics(
        field=lambda p: whole(plan.model, plan.integrals, p),
        read=lambda x, p: {},
        fed=plan.infused,
        method=method_of(plan),
    )
    numbers = Numbers(
        initial=(nothing,) * compartments + initial_responses(plan.model, _first(parameters)) + integrals,
        constant=constant,
        drive=None,
        segments=_segments(line, durations, kind, line.jump[:, :0], 0, 0, changing),
        scale=_scale(plan, line) + tuple(jnp.ones_like(nothing) for _ in integrals),
    )
    integrated, outcome = _walk(plan, dynamics, numbers, rows, steps)
    amounts = tuple(integrated[:, i] for i in range(compartments))
    amounts_shape = (rows.height, line.start.shape[1])
    read = read_compartments(plan.model, amounts, _at_every_row(at_rows, amounts_shape))
    values = [read[name][:, None] for name in plan.readouts]
    states = integrated[:, compartments:]
    responses = states.shape[1] - len(integrals)
    return Solution((*values, states[:, responses:], states[:, :responses]), integrated, outcome)


def _at_every_row(parameters: Parameters, shape: tuple[int, ...]) -> dict[str, Float[Array, "row batch"]]:
    return {
        name: value if value.ndim == 2 else jnp.broadcast_to(value[None], shape) for name, value in parameters.items()
    }


def _segments(
    line: Course,
    durations: Float[Array, "kind batch"],
    kind: Int[Array, " segment"],
    linear: Float[Array, "segment linear batch"],
    before: int,
    fed_before: int,
    changing: Parameters,
) -> Segments:
    """The segments as the integrated states see them, the first `before` states being solved elsewhere."""
    return Segments(
        durations=durations,
        kind=kind,
        start=line.start,
        linear=linear,
        clears=line.clears,
        jump=line.jump[:, before:],
        rate=line.rate[:, fed_before:],
        parameters=changing,
    )


def _apart(parameters: Parameters) -> tuple[dict[str, Column], Parameters]:
    constant = {name: value for name, value in parameters.items() if value.ndim == 1}
    return constant, {name: value for name, value in parameters.items() if value.ndim == 2}


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
