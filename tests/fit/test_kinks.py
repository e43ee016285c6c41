"""Random effects of durations and lags: modes on the kinks that samples make."""

import itertools
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from pkpd.dataset import read_dataset
from pkpd.errors import InputError
from pkpd.fit import kinks
from pkpd.fit.connection import Connection, connected
from pkpd.fit.fit import fit
from pkpd.fit.importance import importance
from pkpd.fit.impossible import refuse_impossible
from pkpd.fit.individual import Individual, spread
from pkpd.fit.objective import Approximation, searched
from pkpd.fit.scalar import Scalar
from pkpd.models.absorption import first_order
from pkpd.models.model import OUT, LinearBlock, Model, Parameter, Readout, Route, State
from pkpd.models.pk import pk
from pkpd.population.expression import Theta
from pkpd.population.individual import LogitNormal, LogNormal, Normal, Random
from pkpd.population.omega import Block
from pkpd.population.population import Population
from pkpd.population.residual import BelowLimit, Combined, Proportional, Residual, exponential

SAMPLED = np.array([0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0])
HOURS = np.array([0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 6.0, 9.0, 12.0, 24.0])
SUBJECTS = 12
TYPICAL = {"d1": (1.45, 0.3), "cl": (4.2, 0.3), "v": (34.0, 0.2)}
ERROR = (0.06, 0.09)


def zero_order() -> Model:
    return Model(
        name="zero order",
        title="",
        parameters=(Parameter("cl", "", "L/h"), Parameter("v", "", "L"), Parameter("d1", "", "h")),
        linear=LinearBlock(
            states=(State("central", "mg", ""),),
            rates=lambda p: {("central", OUT): p.cl / p.v},
            readouts=(Readout("conc", "mg/L", "", lambda p: {"central": 1.0 / p.v}, ""),),
            equations=(),
        ),
        routes=(Route("iv", into="central", duration="d1"),),
    )


def predicted(d1: float, cl: float, v: float) -> NDArray:
    """100 mg over `d1` hours, in closed form."""
    k = cl / v
    return 100.0 / d1 / cl * (np.exp(-k * np.maximum(HOURS - d1, 0.0)) - np.exp(-k * HOURS))


def table(folder: Path, kind: str) -> tuple[Path, NDArray]:
    rng, lines, values = np.random.default_rng(0), ["ID,TIME,AMT,RATE,DV,EVID"], []
    for subject in range(1, SUBJECTS + 1):
        if kind == "duration":
            f = predicted(*(mean * np.exp(0.3 * rng.standard_normal()) for mean in (1.5, 4.0, 35.0)))
        else:
            ka, lag, k = (mean * np.exp(0.3 * rng.standard_normal()) for mean in (1.2, 0.5, 0.11))
            t = np.maximum(HOURS - lag, 0.0)
            f = 100.0 * ka / 35.0 / (ka - k) * (np.exp(-k * t) - np.exp(-ka * t))
        y = f * (1 + 0.1 * rng.standard_normal(len(HOURS))) + 0.05 * rng.standard_normal(len(HOURS))
        lines.append(f"{subject},0,100,{-2 if kind == 'duration' else 0},.,1")
        lines += [f"{subject},{t},.,.,{dv},0" for t, dv in zip(HOURS, y, strict=True)]
        values.append(y)
    path = folder / f"{kind}.csv"
    path.write_text("\n".join(lines) + "\n")
    return path, np.array(values)


@pytest.fixture(scope="module")
def durations(tmp_path_factory: pytest.TempPathFactory) -> tuple[Population, Connection, NDArray]:
    path, values = table(tmp_path_factory.mktemp("kinks"), "duration")
    parameters = {name: LogNormal(mean, sd=sd) for name, (mean, sd) in TYPICAL.items()}
    population = Population(parameters, {"conc": Combined(*ERROR)})
    data = read_dataset(path, outputs=["conc"], units={"AMT": "mg", "conc": "mg/L"})
    return population, connected(population, zero_order(), data), values


def loss(z: NDArray, y: NDArray) -> float:
    """F of one subject, by hand."""
    f = predicted(*(mean * np.exp(sd * one) for (mean, sd), one in zip(TYPICAL.values(), z, strict=True)))
    variance = ERROR[0] ** 2 + (ERROR[1] * f) ** 2
    return float(0.5 * np.sum((y - f) ** 2 / variance + np.log(variance)) + 0.5 * np.sum(z**2))


def test_modes_on_kinks_are_minima(durations: tuple[Population, Connection, NDArray]) -> None:
    """No nearby point is lower, on either side; some modes end an infusion just at a sample, and nobody fails."""
    population, joined, values = durations
    found = Scalar(population, Approximation("focei"), joined.problem).evaluation(population.packing.start())
    assert not found.failed.any()
    rng, on_kinks = np.random.default_rng(1), 0
    for z, y in zip(np.asarray(found.z).T, values, strict=True):
        lowest = loss(z, y)
        for size in (1e-5, 1e-4, 1e-3, 1e-2):
            others = z + size * rng.standard_normal((200, 3))
            assert min(loss(one, y) for one in others) >= lowest - 1e-7
        ends = TYPICAL["d1"][0] * np.exp(TYPICAL["d1"][1] * z[0])
        on_kinks += bool((np.abs(HOURS / ends - 1.0) < 1e-7).any())
    assert on_kinks >= 2


def lags(
    folder: Path,
    subjects: int = 12,
    tlag: Random = LogNormal(0.8, sd=0.4),  # noqa: B008 a frozen value
    error: Residual | Combined = Combined(0.1, 0.1),  # noqa: B008
    lloq: float = -np.inf,
) -> tuple[Population, Connection, NDArray]:
    """One compartment, first-order absorption after a lag that alone varies, so that its integral is one by quadrature;
    sampled so densely that a subject's F has minima in several slabs. Samples below `lloq` are censored: NaN."""
    rng, lines, values = np.random.default_rng(4), ["ID,TIME,AMT,DV,EVID,CENS"], []
    for subject in range(1, subjects + 1):
        f = lagged(SAMPLED, 0.8 * np.exp(0.4 * rng.standard_normal()))
        y = f * (1 + 0.1 * rng.standard_normal(len(SAMPLED))) + 0.1 * rng.standard_normal(len(SAMPLED))
        lines.append(f"{subject},0,100,.,1,0")
        lines += [f"{subject},{t},.,{max(dv, lloq)},0,{int(dv < lloq)}" for t, dv in zip(SAMPLED, y, strict=True)]
        values.append(np.where(y < lloq, np.nan, y))
    path = folder / "lags.csv"
    path.write_text("\n".join(lines) + "\n")
    fixed = {name: Theta(value, fixed=True) for name, value in {"ka": 1.2, "cl": 3.5, "v": 35.0}.items()}
    population = Population(fixed | {"tlag": tlag}, {"conc": error})
    data = read_dataset(path, outputs=["conc"], units={"AMT": "mg", "conc": "mg/L"})
    return population, connected(population, pk(first_order(lag=True)), data), np.array(values)


def lagged(hours: NDArray, lag: float) -> NDArray:
    t, k = np.maximum(hours - lag, 0.0), 0.1
    return 100.0 * 1.2 / 35.0 / (1.2 - k) * (np.exp(-k * t) - np.exp(-1.2 * t))


def usual(z: float) -> float:
    return 0.8 * np.exp(0.4 * z)


def log_joint(
    z: float, y: NDArray, error: tuple[float, float], lloq: float = -np.inf, lag: Callable[[float], float] = usual
) -> float:
    """log p(y, z) without n log(2 pi)/2, by hand; -inf where a sample was measured before anything arrived."""
    f = lagged(SAMPLED, lag(z))
    sd, below = np.hypot(error[0], error[1] * f), np.isnan(y)
    if not (sd[~below] > 0).all():
        return -np.inf
    e = (y[~below] - f[~below]) / sd[~below]
    beyond = norm.logcdf((lloq - f[below]) / np.where(sd[below] > 0, sd[below], 1e-9)).sum()
    return float(-0.5 * (e**2).sum() - np.log(sd[~below]).sum() + beyond - 0.5 * z**2)


def exact(
    y: NDArray,
    error: tuple[float, float],
    lloq: float = -np.inf,
    lag: Callable[[float], float] = usual,
    edges: NDArray = np.log(SAMPLED / 0.8) / 0.4,  # noqa: B008 a constant
) -> float:
    """-2 log L of one subject by quadrature between the kinks, which are at these z."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    parts = []
    for low, high in itertools.pairwise(np.concatenate([[-5.0], edges, [5.0]])):
        points, width = 0.5 * (low + high) + 0.5 * (high - low) * nodes, 0.5 * (high - low)
        parts += [log_joint(z, y, error, lloq, lag) + np.log(width * w) for z, w in zip(points, weights, strict=True)]
    return float(-2.0 * (np.logaddexp.reduce(parts) - 0.5 * np.log(2 * np.pi)))


@pytest.mark.parametrize(("method", "close"), [("focei", 0.25), ("laplace", 0.25)])
def test_all_slabs_count_each_by_its_own_lowest_point(tmp_path: Path, method: str, close: float) -> None:
    """-2 log L of each subject by quadrature between the kinks. The lowest of the modes alone is far off it."""
    population, joined, values = lags(tmp_path)
    found = Scalar(population, Approximation(method), joined.problem).evaluation(population.packing.start())
    assert not found.failed.any()
    for value, z, y in zip(found.value, np.asarray(found.z)[0], values, strict=True):
        assert value == pytest.approx(exact(y, (0.1, 0.1)), abs=close)
        everywhere = np.linspace(-4.0, 4.0, 8001)
        lowest = max(log_joint(one, y, (0.1, 0.1)) for one in everywhere)
        assert -log_joint(z, y, (0.1, 0.1)) <= -lowest + 1e-6


@pytest.mark.parametrize("error", [Proportional(0.15), exponential(0.15)])
def test_nothing_has_arrived_and_nothing_scatters(tmp_path: Path, error: Residual | Proportional) -> None:
    """Errors that vanish with the prediction: what was measured before a dose arrives is impossible, what lies below
    the limit there certain. Slabs with the former do not count, and draws from them weigh nothing."""
    population, joined, values = lags(tmp_path, error=error & BelowLimit("M3"), lloq=0.15)
    x = population.packing.start()
    refuse_impossible(population, Approximation("focei"), joined.problem, joined.table)
    found = Scalar(population, Approximation("focei"), joined.problem).evaluation(x)
    assert not found.failed.any()
    sampled = importance(population, x, found, joined.problem, draws=3000)
    if error == Proportional(0.15):
        each = [exact(y, (0.0, 0.15), 0.15) for y in values]
        np.testing.assert_allclose(found.value, each, atol=0.8)  # a density of 0 at an edge is no Gaussian
        assert sampled.value == pytest.approx(sum(each), abs=4 * sampled.error)
    assert found.value.sum() == pytest.approx(sampled.value, abs=3.0)
    assert sampled.error < 0.5


def test_foce_cannot_do_without_the_error_of_the_typical_prediction(tmp_path: Path) -> None:
    population, joined, _ = lags(tmp_path, error=Proportional(0.15) & BelowLimit("M3"), lloq=0.15)
    with pytest.raises(InputError, match=r"so is the error's SD, .* in row 5 \(subject 1\)"):
        refuse_impossible(population, Approximation("foce"), joined.problem, joined.table)


def test_a_normal_lag_reaches_slabs_near_zero(tmp_path: Path) -> None:
    """A step that takes log psi for linear in z would lead to negative lags, and the slab be lost."""
    population, joined, values = lags(tmp_path, tlag=Normal(2.2, sd=1.0), error=Combined(0.05, 0.05))
    found = Scalar(population, Approximation("focei"), joined.problem).evaluation(population.packing.start())
    assert not found.failed.any()
    for value, y in zip(found.value, values, strict=True):
        assert value == pytest.approx(exact(y, (0.05, 0.05), lag=lambda z: 2.2 + z, edges=SAMPLED - 2.2), abs=0.3)


def test_a_slab_that_weighs_nothing_spoils_nothing(tmp_path: Path) -> None:
    """SIMULATED steady state: beyond the last sample a search goes past the dosing interval, where there is no lag."""
    rng, lines = np.random.default_rng(11), ["ID,TIME,AMT,DV,EVID,II,SS"]
    hours, k, ka = np.array([0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 8.0]), 0.1, 1.2
    for subject in range(1, 9):
        t = (hours - 0.6 * np.exp(0.4 * rng.standard_normal())) % 12.0
        parts = (np.exp(-one * t) / (1 - np.exp(-12.0 * one)) for one in (k, ka))
        f = 100.0 * ka / 35.0 / (ka - k) * (next(parts) - next(parts))
        y = f * (1 + 0.1 * rng.standard_normal(len(hours))) + 0.1 * rng.standard_normal(len(hours))
        lines.append(f"{subject},0,100,.,1,12,1")
        lines += [f"{subject},{t},.,{dv},0,0,0" for t, dv in zip(hours, y, strict=True)]
    path = tmp_path / "steady.csv"
    path.write_text("\n".join(lines) + "\n")
    fixed = {name: Theta(value, fixed=True) for name, value in {"ka": 1.2, "cl": 3.5, "v": 35.0}.items()}
    population = Population(fixed | {"tlag": LogNormal(0.6, sd=0.4)}, {"conc": Combined(0.1, 0.1)})
    data = read_dataset(path, outputs=["conc"], units={"AMT": "mg", "conc": "mg/L"})
    joined, x = connected(population, pk(first_order(lag=True)), data), population.packing.start()
    scalar, place = Scalar(population, Approximation("focei"), joined.problem), population.packing.names.index("tlag")
    for shift in np.linspace(-0.3, 0.3, 25):
        assert np.isfinite(scalar.value(x + shift * np.eye(len(x))[place])[0])
    found = scalar.evaluation(x)
    sampled = importance(population, x, found, joined.problem, draws=3000)
    assert found.value.sum() == pytest.approx(sampled.value, abs=1.5)


def test_a_search_does_not_end_beyond_its_slab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond an edge F may be lower. One step into the slab is too few where log psi is not linear."""
    monkeypatch.setattr(kinks, "_TOWARDS", 1)
    jax.clear_caches()
    population, joined, _ = lags(tmp_path, tlag=LogitNormal(0.8, sd=0.8, lower=0.0, upper=1.2))
    x = jnp.asarray(population.packing.start())
    found = searched(x, population, Approximation("laplace"), joined.problem)
    jax.clear_caches()
    assert found.slab is not None
    individual, count = Individual(population, interaction=True), found.slab.counts.shape[0]
    values = population.packing.values(spread(x, joined.problem))
    surface = kinks.Surface(individual, *kinks.beside((values, joined.problem), count))
    inside = kinks.folded(surface.within(*kinks.unfolded((found.z, found.slab), count)), count)
    assert np.asarray(inside)[np.asarray(found.slab.counts)].all()
    assert int(found.slab.counts.sum()) > SUBJECTS


def test_kinks_that_are_not_heeded_are_told(tmp_path: Path) -> None:
    def said(tlag: Random) -> str:
        population, joined, _ = lags(tmp_path, tlag=tlag)
        values = population.packing.values(spread(jnp.asarray(population.packing.start()), joined.problem))
        return kinks.unheeded(Individual(population, interaction=True), values, joined.problem)

    assert said(LogNormal(0.8, sd=0.3)) == ""
    assert "in 12 subjects more than 6 kinks are likely" in said(LogNormal(0.8, sd=1.0))

    table(tmp_path, "duration")
    parameters = {name: LogNormal(mean, sd=sd) for name, (mean, sd) in TYPICAL.items()}
    parameters["d1"] = LogNormal(1.45, sd=0.3, occasion_sd=0.1)
    path, text = tmp_path / "occasions.csv", (tmp_path / "duration.csv").read_text().splitlines()
    path.write_text("\n".join([f"{text[0]},OCC", *(f"{line},{1 + (i % 12 > 6)}" for i, line in enumerate(text[1:]))]))
    population = Population(parameters, {"conc": Combined(*ERROR)})
    data = read_dataset(path, outputs=["conc"], units={"AMT": "mg", "conc": "mg/L"})
    joined = connected(population, zero_order(), data)
    known = population.packing.values(spread(jnp.asarray(population.packing.start()), joined.problem))
    individual = Individual(population, interaction=True)
    assert "are not heeded" in kinks.unheeded(individual, known, joined.problem)


def test_a_slab_out_of_reach_is_not_searched(tmp_path: Path) -> None:
    """A lag of at most 1.2 h has no slabs beyond."""
    tlag = LogitNormal(0.8, sd=0.8, lower=0.0, upper=1.2)
    population, joined, _ = lags(tmp_path, tlag=tlag)
    x = population.packing.start()
    found = Scalar(population, Approximation("laplace"), joined.problem).evaluation(x)
    assert not found.failed.any()
    assert found.steps.max() < 60
    sampled = importance(population, x, found, joined.problem, draws=3000)
    assert found.value.sum() == pytest.approx(sampled.value, abs=1.0)


def test_nothing_jumps_where_a_mode_comes_onto_a_kink(tmp_path: Path) -> None:
    """Over a grid of typical lags, across which modes come onto kinks and leave them, steps are those of the slope."""
    population, joined, _ = lags(tmp_path)
    scalar, start = Scalar(population, Approximation("focei"), joined.problem), population.packing.start()
    place = population.packing.names.index("tlag")
    grid = np.linspace(np.log(0.5), np.log(1.2), 141)
    values, slopes = [], []
    for one in grid:
        x = start.copy()
        x[place] = one
        value, gradient, _ = scalar.value(x)
        values.append(value)
        slopes.append(gradient[place])
    trapezia = 0.5 * (np.array(slopes)[1:] + np.array(slopes)[:-1]) * np.diff(grid)
    np.testing.assert_allclose(np.diff(values), trapezia, atol=0.02)


@pytest.mark.B6
@pytest.mark.parametrize("method", ["foce", "focei", "laplace"])
def test_derivatives_where_modes_are_on_kinks(durations: tuple[Population, Connection, NDArray], method: str) -> None:
    """Effects that correlate: then the normal of a kink turns with what is estimated."""
    alone, joined, _ = durations
    population = Population(alone.parameters, alone.residual, omega=(Block(("cl", "d1"), correlation=0.3),))
    scalar = Scalar(population, Approximation(method), joined.problem)
    assert not scalar.evaluation(population.packing.start()).failed.any()
    x, h = population.packing.start(), 1e-4
    gradient, hessian = scalar.value(x)[1], scalar.hessian(x)
    for i, unit in enumerate(np.eye(len(x))):
        (up, slope_up, _), (down, slope_down, _) = (scalar.value(x + sign * h * unit) for sign in (1.0, -1.0))
        assert gradient[i] == pytest.approx((up - down) / (2 * h), rel=1e-6, abs=1e-5)
        np.testing.assert_allclose(hessian[:, i], (slope_up - slope_down) / (2 * h), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("kind", ["duration", "lag"])
def test_such_models_are_fitted(kind: str, tmp_path: Path) -> None:
    path, _ = table(tmp_path, kind)
    data = read_dataset(path, outputs=["conc"], units={"AMT": "mg", "conc": "mg/L"})
    if kind == "duration":
        model, parameters = zero_order(), {name: LogNormal(0.8 * mean, sd=sd) for name, (mean, sd) in TYPICAL.items()}
    else:
        model, typical = pk(first_order(lag=True)), {"ka": 1.0, "tlag": 0.4, "cl": 3.5, "v": 35.0}
        parameters = {name: LogNormal(mean, sd=0.3) for name, mean in typical.items()}
    population = Population(parameters, {"conc": Combined(*ERROR)})
    joined = connected(population, model, data)
    found = fit(population, joined.problem, joined.table, covariance=None)
    assert found.converged
    assert found.audit is not None
    assert found.audit.error is not None
    assert found.audit.error < 1.5
    assert found.audit.minus_2ll == pytest.approx(found.ofv, abs=3.0)
    moment, truth = ("d1", 1.5) if kind == "duration" else ("tlag", 0.5)
    assert found.estimates[moment] == pytest.approx(truth, rel=0.25)
    assert jnp.isfinite(found.ofv)
