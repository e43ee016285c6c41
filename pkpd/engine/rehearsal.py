"""A model's own functions called once, by shapes alone, so that a slip in one is told before anything is computed."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp

from pkpd.engine.field import driven, initial_responses
from pkpd.engine.system import linear_system
from pkpd.errors import InputError
from pkpd.models.model import Model


def rehearse(model: Model) -> None:
    """Raise `InputError` where a function of `model` fails, or speaks of a state the model does not have.

    What the model needs from one on its left is there for the while.
    """
    block = model.linear
    around = {name: jnp.ones(1) for name in (*model.outputs, *model.missing_inputs)}
    parameters = {symbol: jnp.ones(1) for symbol in model.symbols}

    def responses(p: dict[str, Any]) -> Any:
        return driven(model, p)(initial_responses(model, p), around)

    def derived(p: dict[str, Any]) -> Any:
        return [
            one.value(SimpleNamespace(**{own: around[own] for own in one.inputs}), SimpleNamespace(**p))
            for one in model.derived
        ]

    parts: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
        ("its initial values and derivatives", responses),
        ("its derived outputs", derived),
    ]
    if block is not None:
        parts.append(("its compartments", lambda p: linear_system(block, p).matrix))
    for name, part in parts:
        try:
            jax.eval_shape(part, parameters)
        except InputError:
            raise
        except Exception as error:
            # Whatever a person's own functions raise is that person's to mend.
            raise InputError(
                f"model '{model.name}': computing {name} fails: {type(error).__name__}: {error}; its parameters are "
                f"{', '.join(model.symbols) or 'none'}"
            ) from error
