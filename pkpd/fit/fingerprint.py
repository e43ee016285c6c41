"""What models and functions say, the same in every process: code by what stands in it, not by its place in memory."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from types import CodeType, FunctionType
from typing import Any


def written(thing: Any, within: tuple[int, ...] = ()) -> Any:
    """`thing` as nested lists of texts and numbers. Of arrays and of what is not known, the type alone; of a function
    its code, defaults and closure, but not the functions of its module that it calls."""
    if isinstance(thing, str | int | float | bool | bytes | None):
        return thing
    if id(thing) in within:  # a function that calls itself
        return "itself"
    inner = partial(written, within=(*within, id(thing)))
    if hasattr(thing, "__wrapped__"):  # compiled, or kept
        return inner(thing.__wrapped__)
    if isinstance(thing, CodeType):
        return [thing.co_code, thing.co_names, list(map(inner, thing.co_consts))]
    if isinstance(thing, FunctionType):
        cells = [cell.cell_contents for cell in thing.__closure__ or ()]
        return [inner(thing.__code__), *map(inner, thing.__defaults__ or ()), *map(inner, cells)]
    if isinstance(thing, partial):
        return [inner(thing.func), *map(inner, thing.args), inner(thing.keywords)]
    if isinstance(thing, Mapping):
        return [[inner(key), inner(value)] for key, value in thing.items()]
    if isinstance(thing, tuple | list):
        return list(map(inner, thing))
    kind = f"{type(thing).__module__}.{type(thing).__qualname__}"
    if is_dataclass(thing) and not isinstance(thing, type):
        return [kind, *([one.name, inner(getattr(thing, one.name))] for one in fields(thing))]
    return kind
