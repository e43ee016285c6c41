"""A model as the vector field the loop integrates: its responses alone, driven by compartments solved exactly, or all
of it as one system."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.engine.method import Column, Columns, Field
from pkpd.engine.system import linear_system
from pkpd.errors import InputError
from pkpd.models.model import LinearBlock, Model, Response

Parameters = Mapping[str, Column]

NO_COMPARTMENTS = LinearBlock(states=(), rates=lambda p: {}, readouts=(), equations=())


def response_names(model: Model) -> tuple[str, ...]:
    return tuple(name for response in model.responses for name in response.names)


def initial_responses(model: Model, parameters: Parameters) -> Columns:
    """Values of the responses at rest."""
    p = SimpleNamespace(**parameters)
    found: dict[str, Array] = {}
    for response in model.responses:
        found |= _of_states(model, response, "initial", response.initial(p))
    like = next(iter(parameters.values()))
    return tuple(found[name] + jnp.zeros_like(like) for name in response_names(model))


def driven(model: Model, parameters: Parameters) -> Field:
    """dy/dt of the responses, `u` being the readouts of the compartments."""
    p = SimpleNamespace(**parameters)

    def field(y: Columns, u: dict[str, Column]) -> Columns:
        return _responses(model, y, u, p)[0]

    return field


def read_compartments(
    model: Model, x: tuple[Float[Array, "*row batch"], ...], parameters: Mapping[str, Float[Array, "*row batch"]]
) -> dict[str, Float[Array, "*row batch"]]:
    """Every readout of the compartments from their amounts."""
    block = model.linear or NO_COMPARTMENTS
    amounts = dict(zip(block.names, x, strict=False))
    found = {}
    for readout in block.readouts:
        weights = readout.weights(SimpleNamespace(**parameters))
        found[readout.name] = _sum([weight * amounts[state] for state, weight in weights.items()])
    return found


def with_derived(
    model: Model, known: Mapping[str, Float[Array, "..."]], names: tuple[str, ...], p: SimpleNamespace
) -> dict[str, Float[Array, "..."]]:
    """The outputs `names`, those derived being computed from the others, which are `known`."""
    derived = {one.name: one for one in model.derived}

    def value(name: str) -> Float[Array, "..."]:
        if name not in derived:
            return known[name]
        return derived[name].value(SimpleNamespace(**{own: value(own) for own in derived[name].inputs}), p)

    return {name: value(name) for name in names}


def whole(model: Model, integrals: tuple[str, ...], parameters: Parameters) -> Field:
    """d/dt of amounts, responses and running integrals together: A x + flows, f(y, u), and the readouts themselves."""
    block = model.linear or NO_COMPARTMENTS
    compartments, count = len(block.states), len(response_names(model))
    p = SimpleNamespace(**parameters)
    system = linear_system(block, parameters)

    def field(y: Columns, u: dict[str, Column]) -> Columns:
        x = y[:compartments]
        u = {name: _sum([weight * x[i] for i, weight in parts.items()]) for name, parts in system.readouts.items()}
        slopes, flows = _responses(model, y[compartments : compartments + count], u, p)
        change: list[list[Column]] = [[] for _ in range(compartments)]
        for (i, j), rate in system.matrix.items():
            change[i].append(rate * x[j])
        for name, flow in flows:
            change[block.names.index(name)].append(flow)
        return tuple(_sum(terms) for terms in change) + slopes + tuple(u[name] for name in integrals)

    return field


def _sum(terms: list[Float[Array, "..."]]) -> Float[Array, "..."]:
    return sum(terms[1:], terms[0])


def _responses(
    model: Model, y: Columns, u: Mapping[str, Column], p: SimpleNamespace
) -> tuple[Columns, list[tuple[str, Float[Array, " batch"]]]]:
    names = response_names(model)
    held = dict(zip(names, y, strict=True))
    states, known = SimpleNamespace(**held), held | dict(u)
    found: dict[str, Array] = {}
    flows: list[tuple[str, Array]] = []
    for response in model.responses:
        given = SimpleNamespace(**with_derived(model, known, response.inputs, p))
        found |= _of_states(model, response, "derivative", response.derivative(states, given, p))
        if response.flows is not None:
            flows += response.flows(states, given, p).items()
    block = model.linear or NO_COMPARTMENTS
    for name, _ in flows:
        if name not in block.names:
            raise InputError(
                f"model '{model.name}': a flow leads to '{name}', and there are {', '.join(block.names) or 'none'}"
            )
    return tuple(found[name] for name in names), flows


def _of_states(model: Model, response: Response, what: str, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a function of a response gives, which is a value for each of its states and for nothing else."""
    if set(found) != set(response.names):
        raise InputError(
            f"model '{model.name}': `{what}` gives {', '.join(found) or 'nothing'}; the states of this response are "
            f"{', '.join(response.names)}"
        )
    return found
