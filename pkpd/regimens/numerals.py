"""How a number, an interval and a missing value are printed, the same in the terminal and in the report."""

import math

MISSING = "–"
NO_BREAK = "\N{NO-BREAK SPACE}"

# Totals run to tens of millions of IU; people read and order them in MIU.
DISPLAY_UNITS = {"IU": (1e6, "MIU")}

# Units printed after the number; every other unit stands in the heading of its column.
SUFFIXES = {"fold": "-fold", "%": f"{NO_BREAK}%"}


def number(value: float, unit: str = "1") -> str:
    """`value` to about three digits without an exponent where people do not write one; NaN is an en dash.

    Percentages have no decimals; whole numbers are printed whole, except folds (1.00 stays 1.00).
    """
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if unit == "%" or (float(size).is_integer() and unit != "fold") or size >= 100:
        text = f"{size:,.0f}".replace(",", NO_BREAK)
    elif size >= 10:
        text = f"{size:.1f}"
    elif size >= 0.1 or size == 0:
        text = f"{size:.2f}"
    elif size >= 1e-4:
        text = f"{size:.2g}"
    else:
        text = f"{size:.0e}"
    rounds_to_zero = not text.strip("0.")
    return text if value >= 0 or rounds_to_zero else f"−{text}"


def interval(low: float, high: float, unit: str = "1") -> str:
    """`low` to `high` as text; one number if both print alike; an en dash if either end is missing."""
    if math.isnan(low) or math.isnan(high):
        return MISSING
    ends = number(low, unit), number(high, unit)
    return ends[0] if ends[0] == ends[1] else "–".join(ends)


def display(unit: str) -> tuple[float, str]:
    """What to divide values of `unit` by before showing them, and the unit in which they are then shown."""
    return DISPLAY_UNITS.get(unit, (1.0, unit))


def suffix(unit: str) -> str:
    """What follows a number of this unit in a sentence: `-fold`, ` %`, ` IU/mL`; nothing for a ratio."""
    if unit in ("1", ""):
        return ""
    return SUFFIXES.get(unit, NO_BREAK + unit)
