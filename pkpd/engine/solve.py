"""One chunk of subjects through their segments: exactly where the model is linear, integrated where it is not.

Pure JAX; `simulate` and `predict` both end here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from pkpd.engine.dyadic import DyadicDrive, dyadic_drive
from pkpd.engine.exact import exact_outputs, exact_outputs_on_grid, segment_states
from pkpd.engine.explicit import EXPLICIT, explicit_method
from pkpd.engine.field import (
    NO_COMPARTMENTS,
    driven,
    initial_responses,
    read_compartments,
    response_names,
    whole,
)
from pkpd.engine.lockstep import Column, Columns, Field, Method, Outcome, Segments, Steps, integrate
from pkpd.engine.replay import replayed
from pkpd.engine.rosenbrock import rodas5p
from pkpd.engine.rows import Profile, Rows
from pkpd.engine.system import LinearSystem, integral_name, linear_system
from pkpd.engine.tolerances import Tolerances, default_tolerances
from pkpd.errors import InputError
from pkpd.events.course import Course
from pkpd.models.model import Model

STIFF = ("rodas5p",)
METHODS = ("auto", *EXPLICIT, *STIFF)

Parameters = dict[str, Float[Array, "..."]]


@dataclass(frozen=True)
class Plan:
    """What a compiled solve depends on besides the shapes of its arrays; made by `plan`.

    way: "exact" (compartments only), "driven" (responses integrated, compartments exact) or "whole" (one system).
    readouts: outputs of compartments that are wanted; integrals: those wanted over time. infused: states that
    infusions enter.
    """

    model: Model
    way: Literal["exact", "driven", "whole"]
    readouts: tuple[str, ...]
    integrals: tuple[str, ...]
    infused: tuple[int, ...]
    method: str
    tolerances: Tolerances
    room: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Outputs of a solve, in the order of its columns."""
        exact = self.readouts + tuple(integral_name(name) for name in self.integrals)
        return exact + (response_names(self.model) if self.way != "exact" else ())

    @property
    def solver(self) -> str:
        return {"exact": "exact", "driven": f"exact + {self.method}", "whole": self.method}[self.way]


class Solution(NamedTuple):
    """Values of `Plan.names` and of all integrated states at the rows, and how the integration went."""

    values: Float[Array, "time output batch"]
    integrated: Float[Array, "time state batch"]
    outcome: Outcome | None


def plan(
    model: Model,
    wanted: tuple[str, ...],
    integrals: tuple[str, ...],
    infused: tuple[int, ...],
    method: str,
    tolerances: Tolerances | None,
    room: int = 0,
) -> Plan:
    """How to solve `model` for the outputs `wanted`.

    method: an explicit method integrates responses beside exact compartments, and the whole where a response acts
    back on these; "rodas5p", for stiff systems, always integrates the whole; "auto" takes tsit5 where compartments
    are exact, and rodas5p where they are not or something beside them is dosed, because receptors and clearance are
    what makes such models stiff. tolerances: None for the method's own.
    Raises `InputError` for an unknown output or method.
    """
    for name in (*wanted, *integrals):
        if name not in model.outputs:
            raise InputError(f"model '{model.name}' has no output '{name}'; it has {', '.join(model.outputs)}")
    for name in integrals:
        if name not in model.outputs_of_linear:
            raise InputError(
                f"no integral of '{name}': only outputs of compartments have one, here "
                f"{', '.join(model.outputs_of_linear) or 'none'}"
            )
    if method not in METHODS:
        raise InputError(f"no method '{method}'; there are {', '.join(METHODS)}")
    responses = any(name in response_names(model) for name in wanted)
    way = "whole" if model.feeds_back or (method in STIFF and responses) else "driven" if responses else "exact"
    if method == "auto":
        responses_dosed = any(route.into in response_names(model) for route in model.routes)
        method = "rodas5p" if way == "whole" or (responses and (responses_dosed or model.linear is None)) else "tsit5"
        way = "whole" if method in STIFF else way
    readouts = tuple(name for name in wanted if name in model.outputs_of_linear)
    return Plan(model, way, readouts, integrals, infused, method, tolerances or default_tolerances(method), room)


def method_of(plan: Plan) -> Method:
    return rodas5p() if plan.method in STIFF else explicit_method(plan.method)


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
    evenly spaced times. steps: those of an earlier solve, to be walked again as they are.
    """
    if plan.way == "whole":
        return _solve_whole(plan, parameters, at_rows, line, durations, kind, rows, steps)
    block = plan.model.linear or NO_COMPARTMENTS
    infused = tuple(i for i in plan.infused if i < len(block.states))
    entering = line.jump[:, : len(block.states)]
    rate = line.rate[:, : len(infused)]
    own = tuple(block.names[i] for i in infused)
    found = []
    readouts = plan.names[: len(plan.readouts) + len(plan.integrals)]
    system: LinearSystem | None = None
    if readouts:
        system = linear_system(block, parameters, own, plan.integrals)
        states = segment_states(system, durations, kind, entering, rate, line.clears)
        if grid and isinstance(rows, Profile):
            found.append(exact_outputs_on_grid(system, readouts, line.start, states, rows.times))
        else:
            weights = linear_system(block, at_rows, own, plan.integrals).readouts
            place = rows.rows() if isinstance(rows, Profile) else rows
            found.append(exact_outputs(system, readouts, states, place, weights))
    if plan.way == "exact":
        return Solution(found[0], found[0][:, :0], None)

    constant, changing = _apart(parameters)
    method = method_of(plan)
    inputs = dict.fromkeys(name for response in plan.model.responses for name in response.inputs)
    driving = tuple(name for name in inputs if name in plan.model.outputs_of_linear)
    drive, linear = None, jnp.zeros((line.start.shape[0], 0, line.start.shape[1]))
    if driving:
        plain = linear_system(block, parameters, own)
        linear = segment_states(plain, durations, kind, entering, rate, line.clears)
        drive = dyadic_drive(plain, driving, method.fractions, durations)
    walked, outcome = _walk(
        plan,
        field=lambda p: driven(plan.model, constant | p),
        initial=initial_responses(plan.model, _first(parameters)),
        drive=drive,
        read=lambda x, p: read_compartments(plan.model, x, constant | p),
        segments=_segments(line, durations, kind, linear, len(block.states), len(infused), changing),
        fed=tuple(i - len(block.states) for i in plan.infused[len(infused) :]),
        rows=rows,
        scale=_scale(plan, line)[len(block.states) :],
        steps=steps,
    )
    return Solution(jnp.concatenate([*found, walked], axis=1), walked, outcome)


def _walk(
    plan: Plan,
    field: Callable[[dict[str, Column]], Field],
    initial: Columns,
    drive: DyadicDrive | None,
    read: Callable[[Columns, dict[str, Column]], dict[str, Column]],
    segments: Segments,
    fed: tuple[int, ...],
    rows: Rows | Profile,
    scale: Columns,
    steps: Steps | None,
) -> tuple[Float[Array, "time state batch"], Outcome | None]:
    """The integrated states at the rows: by steps of their own, or by those given."""
    method = method_of(plan)
    if steps is None:
        outcome = integrate(field, initial, drive, read, segments, fed, rows, method, plan.tolerances, scale, plan.room)
        return outcome.values, outcome
    place = rows.rows() if isinstance(rows, Profile) else rows
    return replayed(field, initial, drive, read, segments, fed, place, method, steps), None


def _solve_whole(
    plan: Plan,
    parameters: Parameters,
    at_rows: Parameters,
    line: Course,
    durations: Float[Array, "kind batch"],
    kind: Int[Array, " segment"],
    rows: Rows | Profile,
    steps: Steps | None,
) -> Solution:
    block = plan.model.linear or NO_COMPARTMENTS
    compartments = len(block.states)
    constant, changing = _apart(parameters)
    nothing = jnp.zeros_like(line.start[0])
    integrals = (nothing,) * len(plan.integrals)
    integrated, outcome = _walk(
        plan,
        field=lambda p: whole(plan.model, plan.integrals, constant | p),
        initial=(nothing,) * compartments + initial_responses(plan.model, _first(parameters)) + integrals,
        drive=None,
        read=lambda x, p: {},
        segments=_segments(line, durations, kind, line.jump[:, :0], 0, 0, changing, len(integrals)),
        fed=plan.infused,
        rows=rows,
        scale=_scale(plan, line) + tuple(jnp.ones_like(nothing) for _ in integrals),
        steps=steps,
    )
    amounts = tuple(integrated[:, i] for i in range(compartments))
    amounts_shape = (rows.height, line.start.shape[1])
    spread = {
        name: value if value.ndim == 2 else jnp.broadcast_to(value[None], amounts_shape)
        for name, value in at_rows.items()
    }
    read = read_compartments(plan.model, amounts, spread)
    values = [read[name][:, None] for name in plan.readouts]
    states = integrated[:, compartments:]
    responses = states.shape[1] - len(integrals)
    return Solution(
        jnp.concatenate([*values, states[:, responses:], states[:, :responses]], axis=1), integrated, outcome
    )


def _segments(
    line: Course,
    durations: Float[Array, "kind batch"],
    kind: Int[Array, " segment"],
    linear: Float[Array, "segment linear batch"],
    before: int,
    fed_before: int,
    changing: Parameters,
    integrals: int = 0,
) -> Segments:
    """The segments as the integrated states see them, the first `before` states being solved elsewhere."""
    jump = line.jump[:, before:]
    if integrals:
        jump = jnp.concatenate([jump, jnp.zeros((jump.shape[0], integrals, jump.shape[2]))], axis=1)
    return Segments(
        durations=durations,
        kind=kind,
        start=line.start,
        linear=linear,
        clears=line.clears,
        jump=jump,
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
