"""A population with parts of what a person wrote replaced: expressions are data, and so this is a walk over them."""

from collections.abc import Callable
from dataclasses import fields, replace

from pkpd.population.expression import Expression
from pkpd.population.population import Population
from pkpd.population.residual import Residual

Change = Callable[[Expression], Expression]
"""What a part becomes, its own parts having been changed before; itself, where it stays."""


def rewritten(expression: Expression, change: Change) -> Expression:
    """`expression` with each part changed, from the leaves up. Spreads are no parts: they belong to Omega."""
    inner = [id(part) for part in expression.parts]
    parts = {
        one.name: rewritten(part, change)
        for one in fields(expression)  # type: ignore[arg-type]
        if id(part := getattr(expression, one.name)) in inner
    }
    return change(replace(expression, **parts) if parts else expression)  # type: ignore[type-var]


def rewritten_parameters(population: Population, change: Change) -> dict[str, Expression]:
    """The individual parameters, changed."""
    return {name: rewritten(one, change) for name, one in population.expressions.items()}


def rewritten_residual(population: Population, change: Change) -> dict[str, Residual]:
    """The error model of each endpoint, with the parameters in it changed."""
    return {
        endpoint: population.residuals[endpoint].of({label: rewritten(one, change) for label, one in written.items()})
        for endpoint, written in population.residual_expressions.items()
    }
