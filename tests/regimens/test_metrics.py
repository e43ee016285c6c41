"""Metrics against curves whose metrics are known in closed form."""

import numpy as np
import pytest

from pkpd.regimens.metrics import Course, metrics

TIMES = np.arange(0.0, 24 * 7 * 8 + 0.5)
END = TIMES[-1]


def _course(
    doses: list[float], blocks: list[tuple[float, float]], end: float, tops: dict[float, float] | None = None
) -> Course:
    corners = np.array(list(tops or {}), dtype=float)
    high = np.array(list((tops or {}).values()), dtype=float).reshape(-1, 1)
    return Course(np.array(doses), np.full((len(doses), 1), 1e6), tuple(blocks), end, corners, high)


def _found(course: Course, il2: np.ndarray, auc: np.ndarray, treg: np.ndarray, nk: np.ndarray) -> dict[str, float]:
    columns = [np.asarray(p, dtype=float)[:, None] for p in (il2, auc, treg, nk)]
    return {metric.name: float(metric.values[0]) for metric in metrics(TIMES, course, *columns)}


ONES = np.ones_like(TIMES)


def test_exposure_per_dose_and_per_week() -> None:
    doses = [0.0, 72.0, 24.0 * 7 * 2]
    since = [np.maximum(TIMES - dose, 0.0) for dose in doses]
    k = 0.28
    il2 = sum(s * np.exp(-k * s) for s in since)
    auc = sum((1 - np.exp(-k * s) * (1 + k * s)) / k**2 for s in since)
    found = _found(_course(doses, [(0.0, 500.0)], 500.0), il2, auc, ONES, ONES)
    # The top of s exp(-k s) is 1/(k e) at s = 1/k = 3.57 h, between two rows of the grid.
    top = 1 / (k * np.e)
    assert found["il2_cmax_per_dose"] == pytest.approx(top, rel=1e-3)
    assert found["il2_cmax_per_week"] == pytest.approx(top, rel=1e-3)
    assert found["il2_auc_per_dose"] == pytest.approx(1 / k**2, rel=1e-9)
    # Two weeks hold doses, two of them in the first.
    assert found["il2_auc_per_week"] == pytest.approx(3 / k**2 / 2, rel=1e-9)


def test_response_over_blocks_treatment_and_follow_up() -> None:
    ramp = 1.0 + TIMES / END
    found = _found(
        _course([0.0], [(0.0, 100.0), (200.0, 300.0), (400.0, 500.0)], 672.0), 0 * ONES, 0 * ONES, ramp, ONES
    )
    at = {time: 1 + time / END for time in (100, 200, 300, 400, 500, 672)}
    assert found["treg_peak"] == pytest.approx(2.0)
    assert found["treg_block_end_2"] == pytest.approx(at[300])
    assert found["treg_block_end"] == pytest.approx(np.mean([at[100], at[300], at[500]]))
    assert found["treg_before_next_2"] == pytest.approx(at[200])
    assert found["treg_before_next"] == pytest.approx(np.mean([at[200], at[400]]))
    assert found["treg_mean_treatment"] == pytest.approx((1 + at[672]) / 2)
    assert found["treg_mean_follow_up"] == pytest.approx((at[672] + 2) / 2)
    assert found["treg_mean_overall"] == pytest.approx(1.5)
    assert found["treg_time_above_1.3"] == pytest.approx(70.0, abs=0.1)
    assert found["selectivity"] == pytest.approx((1 + at[672]) / 2)
    assert (found["total_iu"], found["injections"]) == (1e6, 1.0)


def test_what_has_no_meaning_is_missing_not_zero() -> None:
    placebo = _found(_course([], [], 0.0), 0 * ONES, 0 * ONES, ONES, ONES)
    assert np.isnan(placebo["il2_cmax_per_dose"]) and np.isnan(placebo["il2_auc_per_week"])
    assert np.isnan(placebo["treg_before_next"]) and np.isnan(placebo["treg_block_end"])
    assert placebo["treg_mean_treatment"] == placebo["selectivity"] == 1.0
    whole = _found(_course([0.0], [(0.0, END)], END), ONES, TIMES, ONES, ONES)
    assert np.isnan(whole["treg_mean_follow_up"])
    assert whole["treg_block_end"] == 1.0


def test_tops_between_the_hours_count() -> None:
    """A dose at once at 0, an infusion from 72 to 72.25 h, nothing in the third week but the hours."""
    il2 = np.exp(-0.5 * (TIMES - 0.0)) + np.where(TIMES > 72, np.exp(-0.5 * (TIMES - 72.25)), 0.0)
    il2 += np.exp(-(((TIMES - 340.4) / 3) ** 2))
    found = _found(_course([0.0, 72.0, 336.0], [(0.0, 400.0)], 400.0, {1e-6: 50.0, 72.25: 40.0}), il2, il2, ONES, ONES)
    assert found["il2_cmax_per_dose"] == pytest.approx((50.0 + 40.0 + 1.0) / 3, rel=1e-3)
    assert found["il2_cmax_per_week"] == pytest.approx((50.0 + 1.0) / 2, rel=1e-3)


def test_averages_end_where_treatment_ends() -> None:
    """Off the hour, too; straight lines are averaged exactly."""
    ramp = 1.0 + TIMES / END
    found = _found(_course([0.0], [(0.0, 1.5), (200.25, 300.75)], 672.6), 0 * ONES, 0 * ONES, ramp, ONES)
    at = {time: 1 + time / END for time in (1.5, 200.25, 300.75, 672.6)}
    assert found["treg_mean_treatment"] == pytest.approx((1 + at[672.6]) / 2, rel=1e-12)
    assert found["treg_mean_follow_up"] == pytest.approx((at[672.6] + 2) / 2, rel=1e-12)
    assert found["treg_block_end"] == pytest.approx((at[1.5] + at[300.75]) / 2, rel=1e-12)
    assert found["treg_before_next"] == pytest.approx(at[200.25], rel=1e-12)
    short = _found(_course([0.0, 1.0], [(0.0, 1.5)], 1.5), 0 * ONES, 0 * ONES, ONES, ONES)
    assert short["treg_mean_treatment"] == short["treg_mean_follow_up"] == short["selectivity"] == 1.0
