"""Conditions by which rows are left out, as in NONMEM's IGNORE=(EVID.EQ.2)."""

import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from pkpd.dataset.columns import NUMBER, labels, numbers, place_of
from pkpd.dataset.sheet import Sheet
from pkpd.errors import InputError

COMPARE: dict[str, Callable[..., Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
FORTRAN = {"EQ": "==", "EQN": "==", "NE": "!=", "NEN": "!=", "LE": "<=", "GE": ">=", "LT": "<", "GT": ">"}
TERM = re.compile(r"\s*([^\s=!<>]+?)\s*(==|!=|<=|>=|<|>)\s*(\S.*?)\s*")


def matching(sheet: Sheet, condition: str, columns: dict[str, str]) -> np.ndarray:
    """The rows that satisfy `condition`: terms "COLUMN op value" joined by "and"; op is ==, !=, <, <=,
    >, >= or Fortran's .EQ. and so on. A number is compared as a number, anything else as text; an empty
    cell never matches.

    Raises `InputError` where the condition cannot be read or names no column.
    """
    plain = re.sub(
        r"\.(EQN?|NEN?|LE|GE|LT|GT)\.",
        lambda found: FORTRAN[found[1].upper()],
        condition,
        flags=re.IGNORECASE,
    )
    wanted = np.ones(len(sheet), dtype=bool)
    for term in re.split(r"\band\b|\.and\.|&+", plain, flags=re.IGNORECASE):
        read = TERM.fullmatch(term)
        if read is None:
            raise InputError(
                f"ignore: cannot read '{condition}'; write a mark such as '#', or 'COLUMN == value and ...'"
            )
        name, compare, value = read[1], COMPARE[read[2]], read[3].strip("'\"")
        place = place_of(sheet, columns.get(name.upper(), name))
        if place is None:
            raise InputError(f"ignore: '{condition}' names the column '{name}'; found are {', '.join(sheet.names)}")
        wanted &= _compared(sheet, place, compare, value, condition)
    return wanted


def _compared(sheet: Sheet, place: int, compare: Callable[..., Any], value: str, condition: str) -> np.ndarray:
    if NUMBER.fullmatch(value):
        column = numbers(sheet, place).values
        return compare(column, float(value)) & ~np.isnan(column)
    if compare not in (operator.eq, operator.ne):
        raise InputError(f"ignore: '{condition}' orders by '{value}', which is not a number")
    column = labels(sheet, place)
    same = np.array([*(compare(name, value) for name in column.names), False], dtype=bool)
    return same[column.codes]
