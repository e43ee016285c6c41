"""Matrix exponentials: the 50-digit one against closed forms, the double one against the 50-digit one."""

import mpmath
import numpy as np
import pytest
from oracles.high_precision import as_floats, expm_action, infusion_action, oral_amount
from oracles.linear_models import il2_subcutaneous, one_compartment_oral, three_compartment_oral
from oracles.matrix_exponential import matrix_exponential

DISTANCES = [0.0, 1e-16, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1.0]


def relative(value: mpmath.mpf, reference: mpmath.mpf) -> float:
    with mpmath.workdps(90):
        return float(abs(value / reference - 1))


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("time", [0.1, 4.0, 300.0])
def test_two_routes_to_an_oral_dose_agree_to_fifty_digits(distance: float, time: float) -> None:
    ke, ka = 0.25, 0.25 * (1 + distance)
    series = expm_action(one_compartment_oral(ka, ke, 1.0), [100, 0], time)[1]
    assert relative(series, oral_amount(100, ka, ke, time)) < 1e-49


def test_a_scalar_is_the_exponential_function() -> None:
    for time in (1e-3, 1.0, 1e3):
        with mpmath.workdps(80):
            exact = mpmath.exp(mpmath.mpf(-0.7) * mpmath.mpf(time))
        assert relative(expm_action([[-0.7]], [1], time)[0], exact) < 1e-49


def test_the_digits_asked_for_are_given() -> None:
    rates, time = il2_subcutaneous(0.28, 10.0, 2.8, 1.4, 2.3), 100.0
    few, many = (expm_action(rates, [1, 0, 0, 0], time, digits) for digits in (50, 80))
    assert max(relative(a, b) for a, b in zip(few, many, strict=True)) < 1e-49


def test_an_infusion_fills_to_rate_over_clearance() -> None:
    with mpmath.workdps(80):
        exact = mpmath.mpf(1e7) / mpmath.mpf(0.055) * -mpmath.expm1(-mpmath.mpf(0.055) * 12)
    assert relative(infusion_action([[-0.055]], [0.0], [1e7], 12.0)[0], exact) < 1e-49


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("time", [0.1, 4.0, 24.0, 300.0])
def test_doubles_are_right_at_equal_and_nearly_equal_rates(distance: float, time: float) -> None:
    rates = one_compartment_oral(0.25 * (1 + distance), 0.25, 1.0)
    exact = as_floats(expm_action(rates, [1, 0], time))
    # k t = 75 at most: rounding k t alone moves exp(-k t) by 75 units in the last place, 2e-14; squaring adds
    np.testing.assert_allclose(matrix_exponential(rates * time)[:, 0], exact, rtol=1e-12)


@pytest.mark.parametrize(
    "rates",
    [
        il2_subcutaneous(0.28, 10.0, 2.8, 1.4, 2.3),
        il2_subcutaneous(10 / 2.8, 10.0, 2.8, 1.4, 2.3),
        three_compartment_oral(1.5, 1.0, 10.0, 2.0, 30.0, 0.3, 40.0),
    ],
    ids=["s.c. interleukin-2", "s.c. interleukin-2, ka = CL/Vc", "three compartments"],
)
@pytest.mark.parametrize("time", [1e-6, 0.5, 12.0, 200.0])
def test_doubles_are_right_for_fast_and_slow_systems(rates: np.ndarray, time: float) -> None:
    exact = np.array([as_floats(expm_action(rates, column, time)) for column in np.eye(len(rates))]).T
    # squaring k times loses k bits, here 2**8 of 1e-16; entries that have died out are held to the largest
    tolerance = 1e-13 * np.maximum(np.abs(exact), 1e-6 * np.abs(exact).max())
    assert (np.abs(matrix_exponential(rates * time) - exact) <= tolerance).all()


def test_exponentials_of_rotation_nothing_and_a_nilpotent_matrix() -> None:
    angle = 1.2
    turned = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    np.testing.assert_allclose(matrix_exponential([[0, -angle], [angle, 0]]), turned, rtol=1e-14)
    np.testing.assert_array_equal(matrix_exponential(np.zeros((2, 2))), np.eye(2))
    np.testing.assert_allclose(matrix_exponential([[0, 1000.0], [0, 0]]), [[1, 1000], [0, 1]], rtol=1e-14)


def test_a_complex_step_through_the_exponential() -> None:
    k, t, h = 0.25, 40.0, 1e-20
    derivative = matrix_exponential(one_compartment_oral(k + 1j * h, k, 1.0) * t)[1, 0].imag / h
    assert derivative == pytest.approx(np.exp(-k * t) * (t - k * t**2 / 2), rel=1e-12)
