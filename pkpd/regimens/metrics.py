"""What a regimen does to a patient, in numbers: read off hourly profiles, one value per patient each."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

HOURS_PER_WEEK = 168.0
EXPANDED = 1.3
"""Fold of baseline from which a cell pool counts as expanded: the steady state DILfrequency aimed at."""

_PLACES = np.linspace(-2.0, 2.0, 161)
_QUARTIC = np.vander(_PLACES, 5) @ np.linalg.inv(np.vander(np.arange(-2.0, 3.0), 5))
"""Values at `_PLACES` of the quartic through five values at -2, -1, 0, 1, 2."""

Profile = Float[np.ndarray, "time patient"]
Column = Float[np.ndarray, " patient"]


@dataclass(frozen=True)
class Metric:
    """A number per patient, with the name under which it is stored and the words in which it is shown."""

    name: str
    label: str
    unit: str
    group: str
    values: Column


@dataclass(frozen=True)
class Course:
    """What metrics need to know of a regimen [h]: when doses fall, the stretches of dosing, the end of treatment.

    Only doses before the end of the simulation count. `amounts`: IU of each dose, `[dose, patient]`. `corners`: when
    IL-2 is at the top of a dose given into a vein, between the hours, and `tops`: how high [IU/mL].
    """

    dose_times: Float[np.ndarray, " dose"]
    amounts: Float[np.ndarray, "dose patient"]
    on_blocks: tuple[tuple[float, float], ...]
    treatment_end: float
    corners: Float[np.ndarray, " corner"]
    tops: Float[np.ndarray, "corner patient"]


def metrics(
    times: Float[np.ndarray, " time"], course: Course, il2: Profile, auc: Profile, treg: Profile, nk: Profile
) -> list[Metric]:
    """All metrics of one regimen.

    times [h], hourly from 0; il2 [IU/mL]; auc, its integral from 0 [IU h/mL]; treg, nk [fold of baseline].
    A metric that has no meaning for the regimen (a mean over no doses, a follow-up of no length) is NaN.
    """
    treatment_end = min(course.treatment_end, times[-1]) if course.treatment_end > 0 else float(times[-1])
    found = list(_exposure(times, course, il2, auc))
    for symbol, name, profile in (("treg", "Treg", treg), ("nk", "NK", nk)):
        found += _response(symbol, name, times, course, treatment_end, profile)
    ratio = _integral(times, treg, 0.0, treatment_end) / _integral(times, nk, 0.0, treatment_end)
    found.append(Metric("selectivity", "Treg AUC over NK AUC, treatment", "1", "Treg", ratio))
    found.append(Metric("total_iu", "total dose", "IU", "Cost", course.amounts.sum(axis=0)))
    injections = np.full(il2.shape[1], float(len(course.dose_times)))
    found.append(Metric("injections", "injections", "1", "Cost", injections))
    return found


def _exposure(times: np.ndarray, course: Course, il2: Profile, auc: Profile) -> Iterator[Metric]:
    doses = np.unique(course.dose_times)
    nothing = np.full(il2.shape[1], np.nan)
    per_dose_peak = per_week_peak = per_dose_auc = per_week_auc = nothing
    if len(doses):
        edges = np.concatenate([doses, times[-1:]])
        per_dose_peak = np.mean([_peak(times, course, il2, a, b) for a, b in pairwise(edges)], axis=0)
        per_dose_auc = auc[-1] / len(course.dose_times)
        weeks = np.unique(doses // HOURS_PER_WEEK) * HOURS_PER_WEEK
        ends = np.minimum(weeks + HOURS_PER_WEEK, times[-1])
        per_week_peak = np.mean([_peak(times, course, il2, a, b) for a, b in zip(weeks, ends, strict=True)], axis=0)
        gains = [auc[_row(times, b)] - auc[_row(times, a)] for a, b in zip(weeks, ends, strict=True)]
        per_week_auc = np.mean(gains, axis=0)
    yield Metric("il2_cmax_per_dose", "IL-2 peak, mean over doses", "IU/mL", "IL-2", per_dose_peak)
    yield Metric("il2_cmax_per_week", "IL-2 peak, mean over dosing weeks", "IU/mL", "IL-2", per_week_peak)
    yield Metric("il2_auc_per_dose", "IL-2 AUC per dose", "IU·h/mL", "IL-2", per_dose_auc)
    yield Metric("il2_auc_per_week", "IL-2 AUC per dosing week", "IU·h/mL", "IL-2", per_week_auc)


def _response(
    symbol: str, name: str, times: np.ndarray, course: Course, treatment_end: float, profile: Profile
) -> Iterator[Metric]:
    def metric(suffix: str, words: str, unit: str, values: Column) -> Metric:
        return Metric(f"{symbol}_{suffix}", f"{name} {words}", unit, name, values)

    nothing = np.full(profile.shape[1], np.nan)
    yield metric("peak", "peak", "fold", profile.max(axis=0))
    blocks = [block for block in course.on_blocks if block[1] <= times[-1]]
    ends = [_at(times, profile, end) for _, end in blocks]
    befores = [_at(times, profile, start) for start, _ in blocks[1:]]
    yield metric("block_end", "at the end of an on-block, mean", "fold", np.mean(ends, axis=0) if ends else nothing)
    for number, values in enumerate(ends if len(ends) > 1 else [], start=1):
        yield metric(f"block_end_{number}", f"at the end of on-block {number}", "fold", values)
    yield metric(
        "before_next",
        "just before the next block, mean",
        "fold",
        np.mean(befores, axis=0) if befores else nothing,
    )
    for number, values in enumerate(befores, start=2):
        yield metric(f"before_next_{number}", f"just before on-block {number}", "fold", values)

    end = float(times[-1])
    during = _integral(times, profile, 0.0, treatment_end)
    after = _integral(times, profile, treatment_end, end)
    rest = end - treatment_end
    yield metric("mean_treatment", "time average, treatment", "fold", during / treatment_end)
    yield metric("mean_follow_up", "time average, follow-up", "fold", after / rest if rest > 0 else nothing)
    yield metric("mean_overall", "time average, treatment and follow-up", "fold", (during + after) / end)
    expanded = 100.0 * (profile >= EXPANDED).mean(axis=0)
    yield metric(f"time_above_{EXPANDED:g}", f"share of the time ≥\u00a0{EXPANDED:g}-fold", "%", expanded)


def _row(times: np.ndarray, time: float) -> int:
    """The row of the grid at `time`, or the last before it."""
    return int(np.searchsorted(times, time + 1e-9, side="right")) - 1


def _at(times: np.ndarray, profile: Profile, time: float) -> Column:
    """The profile at a time, on a straight line between the hours."""
    row = _row(times, time)
    part = max((time - times[row]) / (times[1] - times[0]), 0.0)
    return profile[row] if row == len(times) - 1 else profile[row] + part * (profile[row + 1] - profile[row])


def _peak(times: np.ndarray, course: Course, profile: Profile, begin: float, end: float) -> Column:
    """The largest value between two times: the highest row, or what a quartic through the five around it reaches; where
    doses are given into a vein, the highest of their tops, around which no polynomial fits.

    In the default population the highest hourly row misses the top by up to 4 %; the quartic by 0.05 % in 95 % of the
    patients and by 3 % at worst, where absorption is so fast that the lag falls among the five rows.
    """
    first, last = _row(times, begin), _row(times, end)
    window = profile[first : last + 1]
    top = window.max(axis=0)
    inside = (course.corners >= begin) & (course.corners < end)
    if inside.any():
        return np.maximum(top, course.tops[inside].max(axis=0))
    if len(window) < 5:
        return top
    centre = np.clip(window.argmax(axis=0), 2, len(window) - 3)
    around = window[centre[None, :] + np.arange(-2, 3)[:, None], np.arange(window.shape[1])[None, :]]
    return np.maximum(top, (_QUARTIC @ around).max(axis=0))


def _integral(times: np.ndarray, profile: Profile, begin: float, end: float) -> Column:
    """Integral between two times by the trapezoidal rule: in an hour a cell pool moves by under 2 %."""
    step, first, last = times[1] - times[0], _row(times, begin), _row(times, end)
    window = profile[first : last + 1]
    whole = (window.sum(axis=0) - 0.5 * (window[0] + window[-1])) * step
    before, after = begin - times[first], end - times[last]  # parts of an hour
    whole = whole - before * 0.5 * (profile[first] + _at(times, profile, begin)) if before > 1e-9 else whole
    return whole + after * 0.5 * (profile[last] + _at(times, profile, end)) if after > 1e-9 else whole
