"""Every density integrates to 1, and every term beyond a limit is the integral it stands for."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr

import pkpd.engine  # noqa: F401  64 bits
from pkpd.population.expression import Theta
from pkpd.population.likelihood import Endpoint, Observations
from pkpd.population.noise import Gaussian, StudentT, log_between
from pkpd.population.residual import (
    Additive,
    BelowLimit,
    Combined,
    Power,
    Proportional,
    Residual,
    TransformBothSides,
    UserDensity,
    exponential,
)

MODELS: dict[str, tuple[Residual, dict[str, float], tuple[float, float]]] = {
    "additive": (Residual(Additive(1)), {"sd": 0.7}, (-np.inf, np.inf)),
    "proportional": (Residual(Proportional(1)), {"sd": 0.3}, (-np.inf, np.inf)),
    "combined, variances": (Residual(Combined(1, 1)), {"additive": 0.3, "proportional": 0.2}, (-np.inf, np.inf)),
    "combined, SDs": (Residual(Combined(1, 1, "sds")), {"additive": 0.3, "proportional": 0.2}, (-np.inf, np.inf)),
    "power": (Residual(Power(1, 1)), {"sd": 0.3, "power": 0.6}, (-np.inf, np.inf)),
    "log-normal": (exponential(1), {"sd": 0.4}, (0.0, np.inf)),
    "t": (Additive(1) & StudentT(4), {"sd": 0.5}, (-np.inf, np.inf)),
    "t on the log scale": (Additive(1) & TransformBothSides("log") & StudentT(5.5), {"sd": 0.5}, (0.0, np.inf)),
    "logit": (Additive(1) & TransformBothSides("logit", -1, 5), {"sd": 0.5}, (-1.0, 5.0)),
    "M4": (Proportional(1) & BelowLimit("M4"), {"sd": 0.6}, (0.0, np.inf)),
    "user's": (
        Residual(UserDensity(lambda y, f, p: jnp.log(p["rate"] / f) - p["rate"] * y / f, {"rate": 1.0})),
        {"rate": 1.3},
        (0.0, np.inf),
    ),
}
"""Error model, parameters, and the range of y."""

PREDICTION = 2.3


NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)
REACH = {"line": 36.0, "half-line": 7.2, "interval": 36.0}
"""Where the stretched variable ends: y = 2e15, y = exp(670), or 2e-16 from an end of its range."""


def everything(model: str, y: np.ndarray, *, low: float = -np.inf, high: float = np.inf, measured: bool = True) -> Any:
    """The endpoint of a model and the arguments of its functions at the values y, `[observation, 1]`."""
    residual, parameters, _ = MODELS[model]

    def grid(value: Any) -> Any:
        return jnp.full((len(y), 1), value)

    observed = Observations(jnp.asarray(y)[:, None], grid(float(low)), grid(float(high)), grid(measured), grid(True))
    p = {name: jnp.full((1, 1), float(value)) for name, value in parameters.items()}
    endpoint = Endpoint(residual, censored=not measured)
    m = endpoint.location(grid(PREDICTION), observed, p)
    return endpoint, (m, endpoint.log_scale(m, p), observed, p)


def density(model: str, y: np.ndarray, *, low: float = -np.inf, high: float = np.inf, measured: bool = True) -> Any:
    """p(y), or P(low < Y < high) where it is not measured."""
    endpoint, arguments = everything(model, y, low=low, high=high, measured=measured)
    return np.exp(np.asarray(endpoint.log_density(*arguments))[:, 0])


def integral(model: str, low: float, high: float, f: Any = None) -> float:
    """Of p(y) f(y) over part of its range: Gauss-Legendre panels in a variable in which every tail is short."""
    bottom, top = MODELS[model][2]
    reach = REACH["line" if np.isinf(bottom) else "half-line" if np.isinf(top) else "interval"]
    if np.isinf(bottom):
        to, back = (lambda u: PREDICTION + np.sinh(u)), (lambda y: np.arcsinh(y - PREDICTION))
        slope = np.cosh
    elif np.isinf(top):
        to, back = (lambda u: np.exp(np.sinh(u))), (lambda y: np.arcsinh(np.log(y)))
        slope = lambda u: np.exp(np.sinh(u)) * np.cosh(u)  # noqa: E731
    else:
        width = top - bottom
        to = lambda u: bottom + width / (1 + np.exp(-u))  # noqa: E731
        back = lambda y: np.log((y - bottom) / (top - y))  # noqa: E731
        slope = lambda u: width * np.exp(-u) / (1 + np.exp(-u)) ** 2  # noqa: E731
    begin = -reach if low <= bottom else back(low)
    end = reach if high >= top else back(high)
    edges = np.linspace(begin, end, 201)
    half = np.diff(edges)[:, None] / 2
    u = ((edges[:-1] + edges[1:])[:, None] / 2 + half * NODES).ravel()
    weight = (half * WEIGHTS).ravel() * slope(u)
    y = to(u)
    return float((weight * density(model, y) * (1.0 if f is None else f(y))).sum())


@pytest.mark.C6
@pytest.mark.parametrize("model", MODELS)
def test_a_density_integrates_to_1(model: str) -> None:
    assert integral(model, -np.inf, np.inf) == pytest.approx(1.0, abs=1e-10)


@pytest.mark.C6
def test_a_box_cox_density_integrates_to_what_its_normal_leaves_above_the_end() -> None:
    """A shape above 0 ends at y = 0, below which the normal keeps some probability: that much is missing."""
    shape, sd = 0.5, 0.4
    residual = Additive(1) & TransformBothSides("box-cox", shape=shape)
    MODELS["box-cox"] = (residual, {"sd": sd, "shape": shape}, (0.0, np.inf))
    try:
        found = integral("box-cox", -np.inf, np.inf)
    finally:
        del MODELS["box-cox"]
    from scipy.stats import norm

    end, centre = -1 / shape, (PREDICTION**shape - 1) / shape
    assert found == pytest.approx(float(norm.sf((end - centre) / sd)), abs=1e-10)


@pytest.mark.C6
@pytest.mark.parametrize("model", [name for name in MODELS if name != "user's"])
@pytest.mark.parametrize(("low", "high"), [(-np.inf, 1.2), (3.1, np.inf), (0.4, 1.2), (2.0, 2.9)])
def test_a_censored_term_is_an_integral(model: str, low: float, high: float) -> None:
    # The floor of M4 is put into `low` where the data are read.
    floor = max(low, 0.0) if model == "M4" else low
    term = float(density(model, np.ones(1), low=floor, high=high, measured=False)[0])
    assert term == pytest.approx(integral(model, low, high), abs=1e-10)


@pytest.mark.C6
@pytest.mark.parametrize("noise", [Gaussian(), StudentT(3.0)], ids=["normal", "t"])
@pytest.mark.parametrize(("low", "high"), [(-40.0, -37.0), (7.0, 9.0), (-1.0, 0.5), (20.0, 20.001)])
def test_tails_keep_their_digits(noise: Any, low: float, high: float) -> None:
    import mpmath

    mpmath.mp.dps = 150

    def tail(e: float) -> Any:
        """P(E < e) for e < 0."""
        if isinstance(noise, Gaussian):
            return mpmath.ncdf(e)
        v = mpmath.mpf(noise.degrees)
        x = mpmath.mpf(e)
        return mpmath.betainc(v / 2, mpmath.mpf("0.5"), 0, v / (v + x**2), regularized=True) / 2

    def below(e: float) -> Any:
        return tail(e) if e < 0 else 1 - tail(-e)

    exact = float(mpmath.log(below(mpmath.mpf(high)) - below(mpmath.mpf(low))))
    no = jnp.zeros((), bool)
    found = float(log_between(noise, jnp.asarray(low), jnp.asarray(high), no, no))
    # A slice a thousandth wide, 20 SDs out, is the difference of two neighbours, log P = -204 each: 200 eps / 0.02.
    assert found == pytest.approx(exact, abs=1e-8 if high - low < 0.01 else 1e-10)


@pytest.mark.C6
@pytest.mark.parametrize("model", ["additive", "t", "t on the log scale", "combined, variances"])
def test_expected_information_is_the_mean_of_the_observed(model: str) -> None:
    endpoint, arguments = everything(model, np.ones(1))
    expected = [float(one[0, 0]) for one in endpoint.information(*arguments)]
    for which in range(3):

        def observed(y: np.ndarray, which: int = which) -> np.ndarray:
            endpoint, arguments = everything(model, y)
            return np.asarray(endpoint._observed(*arguments)[which])[:, 0]

        assert integral(model, -np.inf, np.inf, observed) == pytest.approx(expected[which], abs=1e-9)


def test_modifiers_join_in_any_order() -> None:
    one = Proportional(0.3) & StudentT(4) & BelowLimit("M3")
    other = Proportional(0.3) & BelowLimit("M3") & StudentT(4)
    assert one == other
    assert one.parameters == {"sd": Theta(0.3, transform="log")}


@pytest.mark.C6
@pytest.mark.parametrize("error", [BelowLimit("M3"), BelowLimit("M4"), StudentT(2)], ids=["M3", "M4", "t"])
@pytest.mark.parametrize("limits", [(-np.inf, 0.05), (0.05, np.inf), (0.02, 0.3), (0.0, 0.05)])
def test_what_lies_between_limits_bends_upwards_only(limits: tuple[float, float], error: Any) -> None:
    """Else a subject whose every sample is below the limit has no curvature, and no objective; and FO's, which is taken
    anywhere, has no lower end."""
    if error == BelowLimit("M4") and np.isinf(limits[0]):
        return  # what is positive lies above 0
    m, s = (one.reshape(-1, 1) for one in np.meshgrid(np.geomspace(1e-3, 1e3, 25), np.geomspace(1e-3, 1e2, 25)))
    no = np.zeros(m.shape, bool)
    low, high = (np.full(m.shape, end) for end in limits)
    seen = Observations(*map(jnp.asarray, (np.ones(m.shape), low, high, no, ~no)))
    endpoint = Endpoint(Combined(0.05, 0.2) & error, censored=True)
    mm, ms, ss = map(np.asarray, endpoint.information(jnp.asarray(m), jnp.asarray(np.log(s)), seen, {}))
    both = np.array([[mm * s**2, ms * s], [ms * s, ss]])[..., 0]
    assert (np.linalg.eigvalsh(np.moveaxis(both, -1, 0))[:, 0] >= -1e-9 * np.abs(both).max(axis=(0, 1))).all()


def test_information_is_that_without_truncation_where_nothing_is_truncated() -> None:
    """FOCEI by M3 and by M4 is the same where observations are positive anyway."""
    m, log_s = jnp.full((1, 1), 3.0), jnp.full((1, 1), np.log(0.2))
    yes = jnp.ones((1, 1), bool)
    seen = Observations(m + 0.3, m, m, yes, yes)
    by = {
        how: Endpoint(Additive(0.2) & BelowLimit(how), censored=False).information(m, log_s, seen, {})
        for how in ("M3", "M4")
    }
    for one, other in zip(by["M3"], by["M4"], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("above", [-2.0, 0.3, 1.7, 5.0])
def test_information_of_what_is_positive_is_the_covariance_of_its_score(above: float) -> None:
    """The score in (m/s, log s) is (e, e^2) but for constants; e is normal, and larger than -m/s."""
    share = ndtr(above)

    def mean(power: int) -> float:
        value = quad(lambda e: e**power * np.exp(-0.5 * e**2) / np.sqrt(2 * np.pi), -above, 40.0, epsabs=1e-13)[0]
        return value / share

    expected = (mean(2) - mean(1) ** 2, mean(3) - mean(1) * mean(2), mean(4) - mean(2) ** 2)
    assert [float(one) for one in Gaussian().information(jnp.asarray(above))] == pytest.approx(expected, abs=1e-9)
