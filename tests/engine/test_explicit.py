"""The Runge-Kutta tableaux as numbers: identities of the methods themselves, not only of their answers."""

import subprocess
import sys

import diffrax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from pkpd.engine.explicit import ExplicitMethod, explicit_method, of_diffrax
from pkpd.errors import InputError

NAMES = ("tsit5", "dopri5")


def stages(method: ExplicitMethod, t: float, y: float, h: float) -> NDArray:
    """k_i of y' = -y + sin t, by the definition."""
    k: list[float] = []
    for c, row in zip(method.c, (np.zeros(0), *method.a), strict=True):
        inner = y + h * float(row @ np.array(k))
        k.append(-inner + np.sin(t + c * h))
    return np.array(k)


def exact(t: float) -> float:
    """y' = -y + sin t, y(0) = 1."""
    return 1.5 * np.exp(-t) + (np.sin(t) - np.cos(t)) / 2


@pytest.mark.parametrize("name", NAMES)
def test_identities_of_the_tableau(name: str) -> None:
    m = explicit_method(name)
    assert (m.c[0], m.c[-1], len(m.a)) == (0.0, 1.0, m.stages - 1)
    np.testing.assert_allclose([row.sum() for row in m.a], m.c[1:], atol=1e-14)
    for degree in range(5):  # quadrature conditions of a method of order 5: sum b c^q = 1/(q + 1)
        assert m.b @ m.c**degree == pytest.approx(1 / (degree + 1), abs=1e-14)
    assert m.e.sum() == pytest.approx(0.0, abs=1e-14)
    np.testing.assert_allclose(m.a[-1], m.b[:-1], atol=1e-15)  # the last stage is the first of the next step
    assert m.b[-1] == 0.0
    assert m.fractions == tuple(sorted(set(m.c[1:])))


@pytest.mark.parametrize("name", NAMES)
def test_the_interpolant_ends_at_the_step_s_value_and_has_the_slopes_of_its_ends(name: str) -> None:
    m = explicit_method(name)
    degrees = np.arange(1, m.dense.shape[1] + 1)
    np.testing.assert_allclose(m.dense.sum(axis=1), m.b, atol=1e-13)
    first, last = np.eye(m.stages)[0], np.eye(m.stages)[-1]
    np.testing.assert_allclose(m.dense[:, 0], first, atol=1e-13)
    np.testing.assert_allclose(m.dense @ degrees, last, atol=1e-12)


@pytest.mark.A6
@pytest.mark.parametrize("name", NAMES)
def test_the_orders_of_step_error_estimate_and_interpolant(name: str) -> None:
    m = explicit_method(name)
    steps = np.array([0.4, 0.2, 0.1])
    step, estimate, inside = [], [], []
    for h in steps:
        k = stages(m, 0.0, 1.0, h)
        step.append(abs(1.0 + h * (m.b @ k) - exact(h)))
        estimate.append(abs(h * (m.e @ k)))
        s = 0.37 ** np.arange(1, m.dense.shape[1] + 1)
        inside.append(abs(1.0 + h * (k @ m.dense @ s) - exact(0.37 * h)))
    orders = [np.log2(np.array(errors)[:-1] / errors[1:]) for errors in (step, estimate, inside)]
    assert m.order == 5
    assert np.abs(orders[0] - 6).max() < 0.5  # of one step
    assert np.abs(orders[1] - 5).max() < 0.5
    assert orders[2].min() > 4.5


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_the_one_diffrax_takes(name: str) -> None:
    m = explicit_method(name)
    solver = {"tsit5": diffrax.Tsit5, "dopri5": diffrax.Dopri5}[name]()
    term = diffrax.ODETerm(lambda t, y, args: -y + jnp.sin(t))
    state = solver.init(term, 0.0, 0.3, jnp.asarray(1.0), None)
    y1, error, dense, _, _ = solver.step(term, 0.0, 0.3, jnp.asarray(1.0), None, state, made_jump=False)
    k = stages(m, 0.0, 1.0, 0.3)
    assert 1.0 + 0.3 * (m.b @ k) == pytest.approx(float(y1), abs=1e-15)
    assert abs(0.3 * (m.e @ k)) == pytest.approx(abs(float(error)), abs=1e-15)
    middle = solver.interpolation_cls(t0=0.0, t1=0.3, **dense).evaluate(0.21)
    s = 0.7 ** np.arange(1, m.dense.shape[1] + 1)
    assert 1.0 + 0.3 * (k @ m.dense @ s) == pytest.approx(float(middle), abs=1e-14)


def test_the_numbers_kept_are_those_of_diffrax() -> None:
    kept, theirs = explicit_method("tsit5"), of_diffrax("tsit5")
    assert (kept.order, kept.fractions) == (theirs.order, theirs.fractions)
    for name in ("c", "b", "e"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(theirs, name), err_msg=name)
    for one, other in zip(kept.a, theirs.a, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(kept.dense, theirs.dense, rtol=0, atol=2e-14)  # which go by way of values


def test_tsit5_is_there_without_diffrax() -> None:
    """Which takes a second to load."""
    program = "import sys, pkpd.engine.explicit as e; e.explicit_method('tsit5'); sys.exit('diffrax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_method_there_is_not() -> None:
    with pytest.raises(InputError, match="no explicit method 'euler'; there are tsit5, dopri5"):
        explicit_method("euler")
