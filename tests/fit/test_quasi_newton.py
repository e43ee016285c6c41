"""The outer optimiser's own arithmetic."""

import numpy as np

from pkpd.fit.quasi_newton import _positive, _updated


def test_a_curvature_stays_positive_however_unlike_its_directions_are() -> None:
    """Steps along a nearly flat line of a steep valley: without care rounding leaves a singular matrix."""
    rng = np.random.default_rng(3)
    across, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    curvature = (across * np.array([1e-9, 6e2, 3e3, 2e4, 3e5, 5e6])) @ across.T
    for _ in range(30):
        s = across[:, 0] + 1e-9 * rng.standard_normal(6)
        curvature = _updated(curvature, s, 1e-16 * s)
    scale = np.sqrt(np.diag(curvature))
    assert np.linalg.eigvalsh(curvature / np.outer(scale, scale))[0] > 1e-11
    assert np.isfinite(np.linalg.solve(curvature, np.ones(6))).all()


def test_a_sound_curvature_is_left_as_it_is() -> None:
    sound = np.array([[2.0, 0.5], [0.5, 1e6]])
    np.testing.assert_array_equal(_positive(sound, 1e-10), sound)
