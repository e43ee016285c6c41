"""The answer in plain language, made from the numbers: the same total dose given one way and another."""

import math
from dataclasses import dataclass

import numpy as np

from pkpd.regimens.numerals import MISSING, number, suffix
from pkpd.regimens.results import Comparison

# What decides between schedules, in the order in which it is told.
DECISIVE = (
    "treg_peak",
    "treg_block_end",
    "treg_before_next",
    "treg_mean_treatment",
    "treg_mean_follow_up",
    "treg_time_above_1.3",
    "nk_peak",
    "selectivity",
)

WORDS = {
    "treg_peak": "Treg peak",
    "treg_before_next": "Treg level before the next block",
    "treg_mean_treatment": "Treg average over treatment",
    "treg_time_above_1.3": "time with Tregs at 1.3-fold or more",
    "nk_peak": "NK peak",
    "selectivity": "selectivity for Tregs over NK",
}

# What makes a regimen lead: the words for it, and the sign that makes more better.
BEST = {
    "treg_peak": ("the highest Treg peak", 1),
    "treg_mean_treatment": ("the highest Treg average over treatment", 1),
    "treg_time_above_1.3": ("the longest time with Tregs at 1.3-fold or more", 1),
    "nk_peak": ("the lowest NK peak", -1),
    "selectivity": ("the highest selectivity for Tregs over NK", 1),
    "injections": ("the fewest injections", -1),
}

# Two regimens give the same total if they differ by no more than rounding a vial would.
SAME_DOSE = 0.01

# Below this change in the middle patient nobody would choose one schedule over the other.
SAME_RATIO = 0.05
SAME_POINTS = 2.0


@dataclass(frozen=True)
class Change:
    """What a regimen changes against the reference in one and the same patient.

    A ratio for folds and plain numbers, a difference in percentage points for shares: the median over
    patients and where 90 % of them lie.
    """

    unit: str
    median: float
    low: float
    high: float

    @property
    def word(self) -> str:
        """`higher`, `lower`, `about the same`, or a dash if it cannot be said."""
        if math.isnan(self.median):
            return MISSING
        move, same = (self.median, SAME_POINTS) if self.unit == "%" else (self.median - 1.0, SAME_RATIO)
        return "about the same" if abs(move) < same else "higher" if move > 0 else "lower"

    @property
    def text(self) -> str:
        """The change with its interval, for example `× 1.17 (1.05 to 1.40)`."""
        if math.isnan(self.median):
            return MISSING
        if self.unit == "%":
            return f"{_signed(self.median)} points ({_signed(self.low)} to {_signed(self.high)})"
        return f"× {number(self.median, 'fold')} ({number(self.low, 'fold')} to {number(self.high, 'fold')})"


@dataclass(frozen=True)
class Answer:
    """A question and its answer: what the reference does and who leads (`lead`), then the `detail`.

    `regimens`, the reference first, and `metrics` are those the answer speaks of.
    """

    question: str
    lead: tuple[str, ...]
    detail: tuple[str, ...]
    regimens: tuple[str, ...]
    metrics: tuple[str, ...]


def answer(comparison: Comparison) -> Answer:
    """Hold the reference against every regimen of the same total dose, in words, from the table alone.

    If no other regimen gives the same total dose, all are held against one another, and the answer says so.
    """
    reference, others = comparison.reference, same_dose(comparison)
    if others:
        regimens = (reference, *others)
        total = comparison.estimate(reference, "total_iu").quantity
        among = f"Of the {len(regimens)} schedules with the same {total}"
        rival = "the same total dose given otherwise"
    else:
        regimens = (reference, *(name for name in comparison.names if name != reference))
        among = f"No other regimen here gives the reference's total dose; of all {len(regimens)}"
        rival = "the other regimens"
    lead = _leaders(comparison, regimens)
    return Answer(
        question=f"What does {_quoted(reference)} do to regulatory T cells, compared with {rival}?",
        lead=(
            *_portrait(comparison),
            *([f"{among}, simulated in the same patients: {lead}."] if lead else []),
        ),
        detail=(*(_contrast(comparison, name) for name in others), *_doubt(comparison)),
        regimens=regimens,
        metrics=tuple(metric for metric in DECISIVE if comparison.has(metric)),
    )


def same_dose(comparison: Comparison) -> tuple[str, ...]:
    """The regimens, other than the reference, whose median total dose equals the reference's within 1 %."""
    if not comparison.has("total_iu"):
        return ()
    totals = {name: comparison.estimate(name, "total_iu").median for name in comparison.names}
    own = totals.pop(comparison.reference)
    return tuple(name for name, total in totals.items() if own > 0 and abs(total - own) <= SAME_DOSE * own)


def change(comparison: Comparison, name: str, metric: str) -> Change:
    """What `name` changes in `metric` against the reference, patient by patient.

    Both regimens are simulated in the same patients, so the change is taken within each patient first.
    """
    unit = comparison.estimate(name, metric).unit
    values = comparison.profiles["metric_values"].sel(metric=metric)
    there, here = values.sel(regimen=name).values, values.sel(regimen=comparison.reference).values
    moved = there - here if unit == "%" else np.divide(there, here, out=np.full_like(there, np.nan), where=here > 0)
    known = moved[np.isfinite(moved)]
    if len(known) == 0:
        return Change(unit, math.nan, math.nan, math.nan)
    low, median, high = np.quantile(known, (0.05, 0.5, 0.95))
    return Change(unit, float(median), float(low), float(high))


def _leaders(comparison: Comparison, regimens: tuple[str, ...]) -> str:
    """Who leads in what, regimen by regimen; those within 5 % (2 points) of the leader share the lead."""
    honours: dict[tuple[str, ...], list[str]] = {}
    for metric, (words, sign) in BEST.items():
        if not comparison.has(metric):
            continue
        estimates = {name: comparison.estimate(name, metric) for name in regimens}
        known = {name: e for name, e in estimates.items() if math.isfinite(e.median)}
        if len(known) < 2:
            continue
        top = max(known.values(), key=lambda e: sign * e.median)
        close = SAME_POINTS if top.unit == "%" else SAME_RATIO * abs(top.median)
        close = 0.0 if metric == "injections" else close  # a count is the same or not
        leaders = [name for name, e in known.items() if e.median == top.median or abs(e.median - top.median) < close]
        values = _list(list(dict.fromkeys(known[name].quantity for name in leaders)))
        honours.setdefault(tuple(leaders), []).append(f"{words} ({values})")
    return "; ".join(
        f"{_list([_quoted(name) for name in leaders])} {'has' if len(leaders) == 1 else 'share'} {_list(gained)}"
        for leaders, gained in honours.items()
    )


def _portrait(comparison: Comparison) -> list[str]:
    """A sentence on the reference: how its median patient fares and how far patients spread."""
    regimen = comparison.regimen(comparison.reference)
    told = {
        "treg_peak": "to a peak of {}",
        "treg_block_end": "{} at the end of an on-block",
        "treg_before_next": "{} just before the next block",
        "treg_mean_treatment": "{} on average over treatment",
        "treg_time_above_1.3": "1.3-fold or more for {} of the time",
    }
    spread = [
        words.format(f"{estimate.quantity} [{estimate.patients}]")
        for metric, words in told.items()
        if comparison.has(metric) and math.isfinite((estimate := comparison.estimate(regimen.name, metric)).median)
    ]
    if not spread:
        return []
    return [
        f"{_quoted(regimen.name)} ({regimen.total_dose}) takes the Tregs of the median patient "
        f"{_list(spread)} (folds of baseline; in brackets, where 90 % of patients lie)."
    ]


def _doubt(comparison: Comparison) -> list[str]:
    """A sentence on how far the reference's medians are known, if that was computed."""
    doubts = [
        f"{words} {estimate.doubt}{suffix(estimate.unit) if estimate.unit == '%' else ''}"
        for metric, words in WORDS.items()
        if comparison.has(metric)
        and math.isfinite((estimate := comparison.estimate(comparison.reference, metric)).median_low)
    ]
    if not doubts:
        return []
    return [
        f"Typical values are not known exactly; with them the medians of {_quoted(comparison.reference)} "
        f"themselves could lie elsewhere (90 %): {_list(doubts)}."
    ]


def _contrast(comparison: Comparison, name: str) -> str:
    """A sentence on another regimen: what is higher, lower or the same within a patient; both medians."""
    parts = []
    for metric, words in WORDS.items():
        if not comparison.has(metric):
            continue
        here, there = (comparison.estimate(regimen, metric) for regimen in (comparison.reference, name))
        moved = change(comparison, name, metric)
        if math.isfinite(moved.median):
            parts.append(f"{words} {moved.word} ({there.value} against {here.quantity})")
    return f"{_quoted(name)} ({comparison.regimen(name).total_dose}), against the reference: {_list(parts)}."


def _quoted(name: str) -> str:
    """Quotation marks for a name that is itself a text of several words."""
    return f"“{name}”" if " " in name else name


def _list(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _signed(points: float) -> str:
    return f"+{number(points, '%')}" if points > 0 else number(points, "%")
