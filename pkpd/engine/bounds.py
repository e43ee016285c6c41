"""What a model's parameters may be."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from pkpd.errors import InputError
from pkpd.models.model import Model


def check_bounds(
    model: Model, values: Mapping[str, Float[np.ndarray, "*record subject"]], names: Sequence[object] | None = None
) -> None:
    """Raise `InputError` at the first value that is not finite, or outside the bounds its parameter has in `model`.

    names: what the subjects are called; their numbers, from 0, if None.
    """
    for parameter in model.parameters:
        value = np.asarray(values[parameter.symbol], dtype=float)
        inside = np.isfinite(value) & (value >= parameter.lower) & (value <= parameter.upper)
        if not inside.all():
            *record, j = np.argwhere(~inside)[0].tolist()
            where = f"subject {j if names is None else names[j]}" + "".join(f", record {k}" for k in record)
            raise InputError(
                f"parameter '{parameter.symbol}' of {where} is {value[*record, j]:g} {parameter.unit}; it must be "
                f"finite and between {parameter.lower:g} and {parameter.upper:g}"
            )
