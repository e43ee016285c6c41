"""What published facts are compared with: numbers computed of the models at their typical literature values.

The typical subject weighs 70 kg and has 1.8 m2 of body surface.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from pkpd.engine.simulate import simulate
from pkpd.events.doses import Doses
from pkpd.models.adverse_events import any_adverse_event
from pkpd.models.il2_sc import il2_sc
from pkpd.models.model import Model
from pkpd.models.nk_cd56bright import nk_cd56bright
from pkpd.models.sil2r import sil2r
from pkpd.models.treg_cd25 import treg_cd25
from pkpd.models.treg_clearance import treg_clearance
from pkpd.models.treg_proliferation import treg_proliferation
from pkpd.population.virtual import literature_of, typical_values
from pkpd.qualify.potency import potencies

BSA = 1.8
DAY = 24.0
_FINE = 0.05
_GRID = np.geomspace(0.02, 1.0, 24)
"""Doses [MIU/m2] among which the one with a given effect is looked for."""

Schedule = Sequence[tuple[float, float]]
"""Doses as (time [h], amount [MIU])."""


def quantities() -> dict[str, float]:
    """Every quantity by name, in the units of the facts it is held against."""
    return _pharmacokinetics() | _cells() | _feedback() | _in_vitro() | _adverse_events()


def courses(model: Model, schedules: Sequence[Schedule], hours: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs `[time, schedule]` of the typical subject under each s.c. schedule."""
    most, count = max(len(schedule) for schedule in schedules), len(schedules)
    time, amount = np.zeros((2, most, count))
    for k, schedule in enumerate(schedules):
        for row, (at, given) in enumerate(schedule):
            time[row, k], amount[row, k] = at, 1e6 * given
    p = {symbol: np.full(count, value) for symbol, value in typical_values(literature_of(model)).items()}
    doses = Doses(
        time,
        amount,
        np.zeros_like(time),
        np.broadcast_to(p["tlag"], time.shape).copy(),
        np.broadcast_to(p["f"], time.shape).copy(),
        np.zeros(most, dtype=int),
    )
    found = simulate(model, p, doses, hours)
    if found.failures:
        raise ArithmeticError(f"a qualifying simulation failed: {found.failures}")
    return found.values


def every(days: float, dose: float, doses: int, start: float = 0.0) -> Schedule:
    """`doses` of `dose` MIU, `days` apart, from day `start`."""
    return [(DAY * (start + days * k), dose) for k in range(doses)]


def _pharmacokinetics() -> dict[str, float]:
    p = typical_values(literature_of(il2_sc()))
    cl, vc, q, vp = (p[name] for name in ("cl", "vc", "q", "vp"))
    rates = np.sort(-np.linalg.eigvals(np.array([[-(cl + q) / vc, q / vp], [q / vc, -q / vp]])).real)
    hours = np.arange(0.0, DAY + _FINE / 2, _FINE)
    il2 = courses(il2_sc(), [[(0.0, 1.0)]], hours)["il2"][:, 0]
    late = (hours >= 8.0) & (hours <= 16.0)
    # Areas of the linear model are F dose / CL, whatever the schedule.
    auc = 1e6 * p["f"] / cl / 1000.0
    return {
        "tmax": float(hours[np.argmax(il2)]),
        "half_life_sc": float(np.log(2.0) / -np.polyfit(hours[late], np.log(il2[late]), 1)[0]),
        "lag": 60.0 * p["tlag"],
        "bioavailability": 100.0 * p["f"],
        "cmax_6": 6.0 * float(il2.max()),
        "cmax_18": 18.0 * float(il2.max()),
        "plateau": 100.0 * float(il2.max()) / (1e6 / vc / 1000.0),
        "bolus_volume": vc,
        "half_life_fast": 60.0 * float(np.log(2.0) / rates[1]),
        "half_life_slow": 60.0 * float(np.log(2.0) / rates[0]),
        "clearance": 1000.0 * cl / 60.0,
        "infusion_ratio": 100.0 * _infused(6.0, cl, vc, q, vp, rates),
        "auc_qd": 20.0 * BSA * auc,
        "auc_bid": 20.0 * BSA * auc,
        "auc_ratio": 1.0,
        "civi": 1.0 / p["f"],
    }


def _infused(hours: float, cl: float, vc: float, q: float, vp: float, rates: Float[np.ndarray, " 2"]) -> float:
    """Level at the end of an infusion over that right after a bolus of the same dose, two compartments.

    sum_i a_i (1 - exp(-rate_i T)) / (rate_i T),   a_i = (rate_i - q/vp) / (rate_i - rate_j)
    """
    slow, fast = rates
    weights = np.array([(slow - q / vp) / (slow - fast), (fast - q / vp) / (fast - slow)])
    return float((weights * -np.expm1(-rates * hours) / (rates * hours)).sum())


def _cells() -> dict[str, float]:
    model = il2_sc() >> treg_proliferation() >> nk_cd56bright() >> treg_cd25() >> sil2r()
    hours = np.arange(0.0, 84.0 * DAY + 0.5)
    named: dict[str, Schedule] = {
        "daily": every(1.0, BSA, 84),
        "q3d": every(3.0, 0.26 * BSA, 28),
        "high": every(1.0, 20.0 * BSA, 5),
        "hcv": [dose for k, given in enumerate((1.5, 3.0, 3.0, 3.0)) for dose in every(1.0, given, 5, 21.0 * k)],
        "0.2": [(0.0, 0.2 * BSA)],
        "0.47": [(0.0, 0.47 * BSA)],
    }
    single = [[(0.0, dose * BSA)] for dose in _GRID]
    repeated = [every(3.0, dose * BSA, 28) for dose in _GRID]
    found = courses(model, [*named.values(), *single, *repeated], hours)
    place = {name: k for k, name in enumerate(named)}
    week = hours <= 7.0 * DAY
    steady = (hours > 60.0 * DAY) & (hours <= 81.0 * DAY)
    treg = found["treg"]
    peaks = treg[week][:, len(named) : len(named) + len(_GRID)].max(axis=0)
    means = treg[steady][:, len(named) + len(_GRID) :].mean(axis=0)

    def at(output: str, name: str, day: float) -> float:
        return float(found[output][int(DAY * day), place[name]])

    p = typical_values(literature_of(model))
    return {
        "dose_10": float(np.interp(1.10, peaks, _GRID)),
        "dose_30": float(np.interp(1.30, means, _GRID)),
        "rise_020": 100.0 * float(treg[week, place["0.2"]].max() - 1.0),
        "rise_047": 100.0 * float(treg[week, place["0.47"]].max() - 1.0),
        "rise_q3d": 100.0 * float(treg[steady, place["q3d"]].mean() - 1.0),
        "cd25_q3d": 100.0 * float(found["cd25"][steady, place["q3d"]].mean() - 1.0),
        "treg_wk4": at("treg", "daily", 28.0),
        "treg_wk12": at("treg", "daily", 84.0),
        "nk_wk12": at("nk", "daily", 84.0),
        "hcv": float(treg[:, place["hcv"]].max()),
        "sil2r_72h": at("sil2r", "high", 3.0),
        "tachyphylaxis": _later_peak(found["il2"][:, place["daily"]], hours),
        "capacity": p["tmax"],
        "doubling": float(np.log(2.0) / p["kout"] / DAY),
    }


def _feedback() -> dict[str, float]:
    hours = np.arange(0.0, 28.0 * DAY + 0.5)
    model = il2_sc() >> treg_proliferation() >> treg_clearance()
    il2 = courses(model, [every(1.0, 2.0 * BSA, 28)], hours)["il2"][:, 0]
    return {"tachyphylaxis_feedback": _later_peak(il2, hours)}


def _later_peak(il2: np.ndarray, hours: np.ndarray) -> float:
    """Peak on day 28 over that on day 1."""
    first, last = (il2[(hours >= DAY * day) & (hours <= DAY * (day + 1))].max() for day in (0, 27))
    return float(last / first)


def _in_vitro() -> dict[str, float]:
    found = potencies()
    half = {cell: potency.ec50(0.5) for cell, potency in found.items()}
    treg = found["treg"]
    largest = {hour: float(row.max()) for hour, row in zip(treg.hours.tolist(), treg.signal, strict=True)}
    return {
        **{f"ec50_{cell}": value for cell, value in half.items()},
        **{f"ratio_{cell}": value / half["treg"] for cell, value in half.items() if cell != "treg"},
        "ec50_treg_1h": treg.ec50(1.0),
        "fall_4h": largest[4.0] / largest[0.5],
    }


def _adverse_events() -> dict[str, float]:
    doses = {"ae_0": 0.0, "ae_033": 0.33, "ae_1": 1.0, "ae_3": 3.0}
    return {name: 100.0 * float(any_adverse_event(dose)) for name, dose in doses.items()}
