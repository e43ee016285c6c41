"""What both kinds of figure share."""

import numpy as np
import pytest

from pkpd.regimens.drawing import (
    COLOURS,
    IL2,
    IL2_FLOOR,
    REFERENCE_COLOUR,
    colours,
    drawable,
    shortened,
    thin,
    week_step,
)


def test_thinned_curves_stay_within_the_tolerance() -> None:
    times = np.linspace(0.0, 100.0, 2001)
    curves = np.stack([np.sin(times / 5), np.exp(-times / 20) * np.cos(times)], axis=1)
    kept = thin(times, curves, 0.01)
    back = np.stack([np.interp(times, times[kept], curve[kept]) for curve in curves.T], axis=1)
    assert np.abs(back - curves).max() <= 0.01
    assert len(kept) < len(times) / 4
    assert {0, 2000} <= set(kept)


def test_thinning_keeps_every_peak() -> None:
    times = np.arange(0.0, 500.0)
    curve = np.zeros(500)
    curve[50::50] = 1.0  # lone points, as a peak after each dose is on a long axis
    assert set(range(50, 500, 50)) <= set(thin(times, curve[:, None], 0.1))


def test_a_straight_line_needs_two_points() -> None:
    times = np.arange(0.0, 50.0)
    assert list(thin(times, np.stack([times, 2 * times], axis=1), 1e-9)) == [0, 49]


def test_nothing_is_drawn_at_minus_infinity() -> None:
    assert np.isfinite(np.log10(drawable(IL2, np.array([0.0, 1e-300, 1.0])))).all()
    assert drawable(IL2, np.array([0.0]))[0] < IL2_FLOOR


def test_colours_repeat_but_never_for_the_reference() -> None:
    names = tuple(f"r{i}" for i in range(14))
    chosen = colours(names, "r3")
    assert chosen["r3"] == REFERENCE_COLOUR
    assert set(chosen) == set(names)
    assert REFERENCE_COLOUR not in [chosen[name] for name in names if name != "r3"]
    assert len({chosen[f"r{i}"] for i in range(10)}) == len(COLOURS) + 1


@pytest.mark.parametrize(("weeks", "step"), [(1.0, 1), (8.0, 1), (24.0, 4), (52.0, 8), (520.0, 104), (5000.0, 104)])
def test_week_step(weeks: float, step: int) -> None:
    assert week_step(weeks) == step


def test_shortened() -> None:
    assert shortened("short", 10) == "short"
    assert shortened("0123456789ab", 10) == "012345678…"
