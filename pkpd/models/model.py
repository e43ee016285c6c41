"""What a model is: parameters, a linear compartment block solved exactly, and responses that are integrated.

A model says what the body does and knows nothing of doses. Blocks compose with `>>`: what stands on the left
drives what stands on the right,

    il2_sc() >> treg_proliferation() >> nk_cd56bright()

The linear block is `dx/dt = A(p) x + input`, with `A` written as first-order rates between compartments, so that
no amount is lost or made. A response is `dy/dt = f(y, u, p)` with `u` the outputs of what stands to its left. It may
act back on the compartments by `flows`; then nothing is linear any more, and the whole is integrated. A derived output
has no memory: it is `g(u, p)` of what the others are at that moment.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

from pkpd.errors import InputError

OUT = "out"
"""The outside of the body: where elimination leads."""

Batch = Any
"""A JAX array `[subject]`; left open here so that models can be listed without loading JAX."""

Values = SimpleNamespace
"""Named arrays, one number per subject each: `p.cl`, `y.treg`, `u.il2`."""


@dataclass(frozen=True)
class Parameter:
    """A symbol of the field, what it means, its unit, its bounds, and the scale on which it varies."""

    symbol: str
    meaning: str
    unit: str
    lower: float = 0.0
    upper: float = float("inf")
    transform: Literal["log", "logit", "identity"] = "log"


@dataclass(frozen=True)
class State:
    """A quantity with memory: an amount in a compartment, or the size of a cell pool."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Readout:
    """A named linear combination of the amounts, `sum_i w_i(p) x_i`; for example a concentration."""

    name: str
    unit: str
    meaning: str
    weights: Callable[[Values], Mapping[str, Batch]]
    equation: str


@dataclass(frozen=True)
class Route:
    """Where doses of a route enter, and the parameters that hold their bioavailability and lag (none: 1 and 0).

    rate, duration: the parameters meant by RATE -1 and -2, if the model has them.
    """

    name: str
    into: str
    bioavailability: str | None = None
    lag: str | None = None
    rate: str | None = None
    duration: str | None = None


@dataclass(frozen=True)
class LinearBlock:
    """Compartments joined by first-order rates [1/h]: `rates(p)` maps (source, destination) to a rate."""

    states: tuple[State, ...]
    rates: Callable[[Values], Mapping[tuple[str, str], Batch]]
    readouts: tuple[Readout, ...]
    equations: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(state.name for state in self.states)


@dataclass(frozen=True)
class Response:
    """Nonlinear states: `derivative(y, u, p)` gives d/dt of each [1/h], `initial(p)` their values at rest.

    flows(y, u, p): what it adds to d/dt of compartments to its left [amount/h], by their names. stiff: whether some
    of its rates are so much faster than the rest that an explicit method would crawl.
    """

    states: tuple[State, ...]
    inputs: tuple[str, ...]
    initial: Callable[[Values], Mapping[str, Batch]]
    derivative: Callable[[Values, Values, Values], Mapping[str, Batch]]
    equations: tuple[str, ...]
    flows: Callable[[Values, Values, Values], Mapping[str, Batch]] | None = None
    stiff: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(state.name for state in self.states)


@dataclass(frozen=True)
class Derived:
    """An output without memory: `value(u, p)` of the outputs `inputs` to its left, at the same moment.

    `value` works element by element. What stands to the right may take a derived output as an input.
    """

    name: str
    unit: str
    meaning: str
    inputs: tuple[str, ...]
    value: Callable[[Values, Values], Batch]
    equation: str


@dataclass(frozen=True)
class Model:
    """Parameters, at most one linear block, the responses it drives, and outputs derived from these.

    Routes may lead into any state. Raises `InputError` when a name is given twice, when a route or input names nothing
    that exists, or when a derived output has no input.
    """

    name: str
    title: str
    parameters: tuple[Parameter, ...]
    linear: LinearBlock | None = None
    responses: tuple[Response, ...] = ()
    derived: tuple[Derived, ...] = ()
    routes: tuple[Route, ...] = ()
    references: tuple[str, ...] = ()
    literature: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [*self.symbols, *(state.name for state in self.states), *self.outputs_of_linear]
        names += [one.name for one in self.derived]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise InputError(
                f"model '{self.name}': {', '.join(repeated)} named twice; every parameter, state and output needs "
                "a name of its own: rename it in one of the blocks"
            )
        for one in self.derived:
            if not one.inputs:
                raise InputError(f"model '{self.name}': '{one.name}' is derived from nothing; name its inputs")
        places = tuple(state.name for state in self.states)
        routes = [route.name for route in self.routes]
        for route in self.routes:
            if routes.count(route.name) > 1:
                raise InputError(f"model '{self.name}': route '{route.name}' is given twice; name one of them anew")
            if route.into not in places:
                raise InputError(f"model '{self.name}': route '{route.name}' leads into '{route.into}', no such state")
            for symbol in (route.bioavailability, route.lag, route.rate, route.duration):
                if symbol is not None and symbol not in self.symbols:
                    raise InputError(f"model '{self.name}': route '{route.name}' needs '{symbol}', no such parameter")

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(parameter.symbol for parameter in self.parameters)

    @property
    def states(self) -> tuple[State, ...]:
        linear = self.linear.states if self.linear else ()
        return linear + tuple(state for response in self.responses for state in response.states)

    @property
    def outputs_of_linear(self) -> tuple[str, ...]:
        return tuple(readout.name for readout in self.linear.readouts) if self.linear else ()

    @property
    def outputs(self) -> dict[str, str]:
        """Every output and its unit: readouts of the linear block, states of the responses, what is derived."""
        readouts = {readout.name: readout.unit for readout in self.linear.readouts} if self.linear else {}
        states = {state.name: state.unit for response in self.responses for state in response.states}
        return readouts | states | {one.name: one.unit for one in self.derived}

    @property
    def equations(self) -> tuple[str, ...]:
        """What a person reads: of the compartments, the responses, the readouts, and what is derived."""
        found = list(self.linear.equations) if self.linear else []
        found += [equation for response in self.responses for equation in response.equations]
        found += [readout.equation for readout in self.linear.readouts] if self.linear else []
        return (*found, *(one.equation for one in self.derived))

    def sources(self, names: Iterable[str]) -> tuple[str, ...]:
        """The readouts and states of responses that `names` are, or are derived from, each once."""
        derived = {one.name: one for one in self.derived}
        found: dict[str, None] = {}
        for name in names:
            found |= dict.fromkeys(self.sources(derived[name].inputs) if name in derived else (name,))
        return tuple(found)

    @property
    def feeds_back(self) -> bool:
        """Whether a response acts on the compartments, so that they have no exact solution."""
        return any(response.flows is not None for response in self.responses)

    @property
    def stiff(self) -> bool:
        """Whether a response says that it is."""
        return any(response.stiff for response in self.responses)

    @property
    def missing_inputs(self) -> tuple[str, ...]:
        """Inputs that nothing to the left provides: a model that has any cannot be solved on its own."""
        have = set(self.outputs_of_linear)
        missing: dict[str, None] = {}

        def derive() -> None:
            for one in self.derived:
                if have.issuperset(one.inputs):
                    have.add(one.name)

        for response in self.responses:
            have.update(response.names)
            derive()
            missing |= dict.fromkeys(name for name in response.inputs if name not in have)
        for one in self.derived:
            missing |= dict.fromkeys(name for name in one.inputs if name not in have)
            have.add(one.name)
        return tuple(missing)

    @property
    def compartments(self) -> LinearBlock:
        """The linear block; raises `InputError` if the model has none and so nothing to dose into."""
        if self.linear is None:
            raise InputError(f"model '{self.name}' has no compartments to dose into; put one on its left with >>")
        return self.linear

    def route(self, name: str) -> Route:
        """The route called `name`; raises `InputError` listing those the model has."""
        for route in self.routes:
            if route.name == name:
                return route
        known = ", ".join(route.name for route in self.routes) or "none"
        raise InputError(f"model '{self.name}' has no route '{name}'; its routes: {known}")

    def check_complete(self) -> None:
        """Raise `InputError` unless everything the model needs is provided."""
        if missing := self.missing_inputs:
            raise InputError(f"model '{self.name}' needs {', '.join(missing)} from a model on its left (>>)")

    def check_parameters(self, names: Mapping[str, object]) -> None:
        """Raise `InputError` unless `names` holds exactly the model's parameters."""
        unknown = sorted(set(names) - set(self.symbols))
        missing = [symbol for symbol in self.symbols if symbol not in names]
        if unknown or missing:
            parts = []
            if missing:
                parts.append(f"missing {', '.join(missing)}")
            if unknown:
                parts.append(f"unknown {', '.join(unknown)}")
            raise InputError(f"parameters of '{self.name}': {'; '.join(parts)}; it takes {', '.join(self.symbols)}")

    def __rshift__(self, driven: "Model") -> "Model":
        """This model driving `driven`. Raises `InputError` on clashing names or a second linear block."""
        if driven.linear is not None:
            raise InputError(f"'{driven.name}' has compartments of its own; it belongs on the left of >>")
        joined = Model(
            name=f"{self.name}+{driven.name}",
            title=f"{self.title}; {driven.title}",
            parameters=self.parameters + driven.parameters,
            linear=self.linear,
            responses=self.responses + driven.responses,
            derived=self.derived + driven.derived,
            routes=self.routes + driven.routes,
            references=self.references + tuple(r for r in driven.references if r not in self.references),
            literature=self.literature + driven.literature,
        )
        if unmet := set(joined.missing_inputs) - set(self.missing_inputs):
            have = ", ".join(self.outputs) or "nothing"
            raise InputError(f"'{driven.name}' needs the input {', '.join(sorted(unmet))}; '{self.name}' gives {have}")
        return joined
