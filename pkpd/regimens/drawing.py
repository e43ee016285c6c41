"""What the printed and the interactive figures share: panels, colours, the floor of the log axis."""

from dataclasses import dataclass

import numpy as np

from pkpd.regimens.results import Comparison

HOURS_PER_DAY = 24.0
HOURS_PER_WEEK = 168.0

# A concentration that decays exponentially has no natural end on a log axis. Drawing starts here, a hundredth
# to a thousandth of the peak after a low dose.
IL2_FLOOR = 0.01  # IU/mL

# The share of time at or above this fold of baseline is a metric; a line shows the eye where it is.
THRESHOLD = 1.3

# Folds that differ by more than this factor would squash the small ones on a linear axis.
LINEAR_FOLD_RANGE = 4.0
FOLD_TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50)

REFERENCE_COLOUR = "#4d4d4d"
PATIENTS_COLOUR = "#0072B2"
DOUBT_COLOUR = "#D55E00"
SHADE_COLOUR = "#E9EEF4"

# The "muted" scheme of Paul Tol (SRON/EPS/TN/09-002), made to be told apart by colour-blind readers.
COLOURS = (
    "#CC6677",
    "#332288",
    "#44AA99",
    "#882255",
    "#88CCEE",
    "#117733",
    "#AA4499",
    "#999933",
    "#DDCC77",
)


@dataclass(frozen=True)
class Panel:
    """A simulated quantity as it is drawn: its variable in `profiles`, title, axis label, lowest value."""

    variable: str
    title: str
    axis: str
    floor: float


IL2 = Panel("il2", "IL-2 in plasma", "IL-2 (IU/mL)", IL2_FLOOR)
TREG = Panel("treg", "Regulatory T cells", "Treg (fold of baseline)", 1e-3)
NK = Panel("nk", "CD56bright NK cells", "CD56bright NK (fold of baseline)", 1e-3)
PANELS = (IL2, TREG, NK)


def footnote(comparison: Comparison) -> str:
    """What every picture says of itself wherever it is pasted."""
    patients, seed = comparison.profiles.sizes["patient"], comparison.provenance["seed"]
    return f"Simulated; research use, not for treating patients.   {patients} virtual patients, seed {seed}."


def needs_log(low: float, high: float) -> bool:
    """Whether an axis for folds from `low` to `high` should be logarithmic."""
    return 0 < LINEAR_FOLD_RANGE * low < high


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` characters, with an ellipsis where it was cut."""
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def week_step(weeks: float) -> int:
    """Weeks between the ticks of a time axis that ends after `weeks`: eight steps or fewer."""
    steps = (1, 2, 4, 8, 13, 26, 52, 104)
    return next((step for step in steps if weeks / step <= 8), steps[-1])


def axis_unit(unit: str) -> str:
    """The unit of a metric as an axis names it."""
    return {"fold": "fold of baseline", "1": "ratio", "%": "% of the time"}.get(unit, unit)


def colours(names: tuple[str, ...], reference: str) -> dict[str, str]:
    """A colour for each regimen: dark grey for the reference, then the scheme in order, over and over."""
    others = [name for name in names if name != reference]
    chosen = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(others)}
    return {reference: REFERENCE_COLOUR, **chosen}


def drawable(panel: Panel, values: np.ndarray) -> np.ndarray:
    """Values for a log axis: what lies below it is held a decade below, so that lines leave the picture."""
    return np.maximum(values, panel.floor / 10)


def thin(times: np.ndarray, curves: np.ndarray, tolerance: float) -> np.ndarray:
    """Indices of the times to keep so that straight lines between them miss no curve by over `tolerance`.

    Douglas-Peucker on all curves together: `times` (time,), `curves` (time, curve), both in the units of the
    picture. Peaks and troughs are kept because a straight line would miss them.
    """
    keep = np.zeros(len(times), dtype=bool)
    keep[[0, -1]] = True
    stretches = [(0, len(times) - 1)]
    while stretches:
        start, end = stretches.pop()
        if end - start < 2:
            continue
        inside = slice(start + 1, end)
        share = (times[inside] - times[start]) / (times[end] - times[start])
        line = curves[start] + share[:, None] * (curves[end] - curves[start])
        miss = np.abs(curves[inside] - line).max(axis=1)
        worst = int(miss.argmax())
        if miss[worst] > tolerance:
            middle = start + 1 + worst
            keep[middle] = True
            stretches += [(start, middle), (middle, end)]
    return np.flatnonzero(keep)
