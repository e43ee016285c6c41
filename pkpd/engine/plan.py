"""How to solve a model for the outputs that are wanted; decided before anything is compiled."""

from dataclasses import dataclass
from typing import Literal

from pkpd.engine.explicit import EXPLICIT, explicit_method
from pkpd.engine.field import response_names
from pkpd.engine.method import Method
from pkpd.engine.rosenbrock import rodas5p
from pkpd.engine.system import integral_name
from pkpd.engine.tolerances import Tolerances, default_tolerances
from pkpd.errors import InputError
from pkpd.models.model import Model

STIFF = ("rodas5p",)
METHODS = ("auto", *EXPLICIT, *STIFF)


@dataclass(frozen=True)
class Plan:
    """What a compiled solve depends on besides the shapes of its arrays; made by `plan`.

    way: "exact" (compartments only), "driven" (responses integrated, compartments exact) or "whole" (one system).
    readouts: outputs of compartments that are wanted, or that something wanted is derived from; integrals: those wanted
    over time. infused: states that infusions enter. derived: derived outputs that are wanted.
    """

    model: Model
    way: Literal["exact", "driven", "whole"]
    readouts: tuple[str, ...]
    integrals: tuple[str, ...]
    infused: tuple[int, ...]
    method: str
    tolerances: Tolerances
    room: int = 0
    derived: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Outputs of a solve, in the order of its columns."""
        return self.solved + self.derived

    @property
    def solved(self) -> tuple[str, ...]:
        """Those that are not derived from others."""
        exact = self.readouts + tuple(integral_name(name) for name in self.integrals)
        return exact + (response_names(self.model) if self.way != "exact" else ())

    @property
    def written(self) -> tuple[int, ...]:
        """How many outputs are written row by row, those of compartments and those of responses; none where some are
        found from others that stand in all rows."""
        exact = len(self.readouts) + len(self.integrals)
        responses = len(self.solved) - exact
        return () if self.way == "whole" or self.derived else tuple(count for count in (exact, responses) if count)

    @property
    def exactly_read(self) -> bool:
        """Whether outputs of compartments are read off the exact propagator."""
        return self.way != "whole" and bool(self.readouts or self.integrals)

    @property
    def solver(self) -> str:
        return {"exact": "exact", "driven": f"exact + {self.method}", "whole": self.method}[self.way]


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
    are exact, and rodas5p where they are not, a response calls itself stiff, or something beside the compartments is
    dosed, because receptors and clearance are what makes such models stiff. tolerances: None for the method's own.
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
    needed = model.sources(wanted)
    responses = any(name in response_names(model) for name in needed)
    way = "whole" if model.feeds_back or (method in STIFF and responses) else "driven" if responses else "exact"
    if method == "auto":
        responses_dosed = any(route.into in response_names(model) for route in model.routes)
        stiff = model.stiff or responses_dosed or model.linear is None
        method = "rodas5p" if way == "whole" or (responses and stiff) else "tsit5"
        way = "whole" if method in STIFF else way
    readouts = tuple(name for name in needed if name in model.outputs_of_linear)
    derived = tuple(one.name for one in model.derived if one.name in wanted)
    tolerances = tolerances or default_tolerances(method)
    return Plan(model, way, readouts, integrals, infused, method, tolerances, room, derived)


def method_of(plan: Plan) -> Method:
    return rodas5p() if plan.method in STIFF else explicit_method(plan.method)
