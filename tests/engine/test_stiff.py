"""The stiff method: its order, stiff problems against two solvers of SciPy, and agreement with the explicit path."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from components import LIBRARY, Row, compartments, doses, draws, scaled_error, turnover
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from pkpd.engine import rosenbrock
from pkpd.engine.jacobian import groups, jacobian, structure
from pkpd.engine.plan import plan
from pkpd.engine.rosenbrock import rodas5p
from pkpd.engine.rows import dense_value
from pkpd.engine.simulate import simulate
from pkpd.engine.tolerances import Tolerances
from pkpd.models.model import Model, Parameter, Response, Route, State
from pkpd.models.tmdd_full import tmdd_full


def problem(names: str, start: list[float], derivative, parameters: str = "k") -> Model:
    """States `names` from `start`, with parameters of any sign."""
    states = tuple(names.split())
    return Model(
        name="problem",
        title="",
        parameters=tuple(Parameter(symbol, "", "", lower=-np.inf) for symbol in parameters.split()),
        responses=(
            Response(
                states=tuple(State(name, "", "") for name in states),
                inputs=(),
                initial=lambda p: {
                    n: v + 0.0 * getattr(p, parameters.split()[0]) for n, v in zip(states, start, strict=True)
                },
                derivative=derivative,
                equations=(),
            ),
        ),
        routes=(Route("into", states[0]),),
    )


def run(
    model: Model, parameters: dict[str, float], times: NDArray, method: str = "rodas5p", rtol: float = 1e-9
) -> NDArray:
    given = doses([times[0]], 0.0)
    values = {name: np.full(1, value) for name, value in parameters.items()}
    found = simulate(model, values, given, times, method=method, tolerances=Tolerances(rtol=rtol, atol=1e-5 * rtol))
    assert found.failures == {}
    return np.stack([found.values[name][:, 0] for name in model.outputs], axis=1)


# ROBER: three reactions whose rates differ by nine powers of ten.
def rober(y, u, p):
    slow, fast, very = 0.04 * y.a, 1e4 * y.b * y.c, 3e7 * y.b**2
    return {"a": p.k * (fast - slow), "b": p.k * (slow - fast - very), "c": p.k * very}


# HIRES: high irradiance response of a plant, eight states.
def hires(y, u, p):
    meet = 280.0 * y.f * y.h
    return {
        "a": p.k * (-1.71 * y.a + 0.43 * y.b + 8.32 * y.c + 0.0007),
        "b": 1.71 * y.a - 8.75 * y.b,
        "c": -10.03 * y.c + 0.43 * y.d + 0.035 * y.e,
        "d": 8.32 * y.b + 1.71 * y.c - 1.12 * y.d,
        "e": -1.745 * y.e + 0.43 * y.f + 0.43 * y.g,
        "f": -meet + 0.69 * y.d + 1.71 * y.e - 0.43 * y.f + 0.69 * y.g,
        "g": meet - 1.81 * y.g,
        "h": -meet + 1.81 * y.g,
    }


# OREGO: an oscillating reaction.
def orego(y, u, p):
    return {
        "a": p.k * 77.27 * (y.b + y.a * (1.0 - 8.375e-6 * y.a - y.b)),
        "b": (y.c - (1.0 + y.a) * y.b) / 77.27,
        "c": 0.161 * (y.a - y.c),
    }


PROBLEMS = {
    "rober": (problem("a b c", [1.0, 0.0, 0.0], rober), np.array([0.0, 1.0, 1e2, 1e4, 1e5])),
    "hires": (problem("a b c d e f g h", [1.0, *[0.0] * 6, 0.0057], hires), np.linspace(0.0, 321.8122, 12)),
    "orego": (problem("a b c", [1.0, 2.0, 3.0], orego), np.array([0.0, 1.0, 5.0, 10.0, 20.0, 30.0])),
}


def by_scipy(model: Model, parameters: dict[str, float], start: NDArray, times: NDArray, method: str) -> NDArray:
    """The same equations, in NumPy, through a solver of SciPy."""
    response = model.responses[0]
    p = SimpleNamespace(**parameters)

    def slopes(t: float, y: NDArray) -> NDArray:
        found = response.derivative(SimpleNamespace(**dict(zip(response.names, y, strict=True))), SimpleNamespace(), p)
        return np.array([found[name] for name in response.names])

    solved = solve_ivp(slopes, (times[0], times[-1]), start, method=method, t_eval=times, rtol=1e-12, atol=1e-18)
    assert solved.success
    return solved.y.T


@pytest.mark.A7
@pytest.mark.parametrize("name", PROBLEMS)
def test_stiff_problems_against_two_solvers(name: str) -> None:
    model, times = PROBLEMS[name]
    start = np.array([float(v) for v in model.responses[0].initial(type("P", (), {"k": 1.0})).values()])
    radau = by_scipy(model, {"k": 1.0}, start, times, "Radau")
    lsoda = by_scipy(model, {"k": 1.0}, start, times, "LSODA")
    assert scaled_error(lsoda, radau) <= 1e-7
    # At 1e-12 SciPy's two agree to about 1e-9; LSODA drifts a little more on the oscillator.
    assert scaled_error(run(model, {"k": 1.0}, times), radau) <= 1e-6


@pytest.mark.A7
def test_binding_ten_thousand_times_faster_than_elimination() -> None:
    """TMDD with kon R0 = 1e4 kel: after a bolus of half, and of ten times, the receptor."""
    p = {"ka": 0.5, "f": 0.7, "v": 3.0, "kel": 0.02, "kon": 20.0, "koff": 2.0, "ksyn": 1.0, "kdeg": 0.1, "kint": 0.05}
    assert p["kon"] * p["ksyn"] / p["kdeg"] == pytest.approx(1e4 * p["kel"])
    model, times = tmdd_full(), np.array([0.0, 0.01, 0.1, 1.0, 5.0, 24.0, 72.0, 240.0])
    given = doses(
        [0.0, 0.0], np.array([[15.0, 300.0], [50.0, 50.0]]), into=[1, 0], subjects=2, bioavailability=[1.0, 0.7]
    )
    values = {name: np.full(2, value) for name, value in p.items()}
    found = simulate(model, values, given, times, tolerances=Tolerances(rtol=1e-8, atol=1e-11))
    assert (found.solver, found.failures) == ("rodas5p", {})
    for subject, bolus in enumerate((15.0, 300.0)):
        start = np.array([35.0, bolus, 10.0, 0.0])
        radau, bdf = (by_scipy(model, p, start, times, method) for method in ("Radau", "LSODA"))
        assert scaled_error(bdf, radau) <= 1e-8
        inside = np.stack([found.values[name][1:, subject] for name in model.responses[0].names], axis=1)
        assert scaled_error(inside, radau[1:]) <= 1e-6


@pytest.mark.A6
def test_the_orders_of_step_estimate_and_interpolant() -> None:
    """y' = -2 y^2 + sin z, z' = 1: step of order 5, estimate of 4, interpolant of 4."""
    m = rodas5p()

    def field(y, u=None):
        return (-2.0 * y[0] ** 2 + jnp.sin(y[1]), jnp.ones_like(y[1]))

    def exact(t: float) -> float:
        solved = solve_ivp(lambda t, y: -2 * y**2 + np.sin(t), (0, t), [1.0], method="DOP853", rtol=3e-14, atol=1e-16)
        return float(solved.y[0, -1])

    steps, errors = np.array([0.025, 0.0125, 0.00625]), {"step": [], "estimate": [], "inside": []}
    for h in steps:
        y = (jnp.ones(1), jnp.zeros(1))
        stages, _ = m.increments(field, y, (), jnp.full(1, h), [], lambda compute: compute())
        end = float(y[0][0] + sum(b * k[0][0] for b, k in zip(m.b, stages, strict=True)))
        errors["step"].append(abs(end - exact(h)))
        errors["estimate"].append(abs(float(stages[-1][0][0])))
        inside = dense_value(m.dense, jnp.asarray([0.6]), y, stages)[0][0]
        errors["inside"].append(abs(float(inside) - exact(0.6 * h)))
    for name, nominal in (("step", 6), ("estimate", 5), ("inside", 5)):
        observed = np.polyfit(np.log(steps), np.log(errors[name]), 1)[0]
        assert abs(observed - nominal) <= 0.3, name
    np.testing.assert_allclose(m.dense.sum(axis=1), m.b, atol=1e-13)


def test_stages_that_share_their_code_are_those_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The increments of three states, and their derivatives by where and how long the step is."""
    p = SimpleNamespace(k=1.0)

    def field(y, u):
        found = orego(SimpleNamespace(a=y[0], b=y[1], c=y[2]), None, p)
        return found["a"], found["b"], found["c"]

    def increments(y, h):
        found = rodas5p().increments(field, tuple(y), (), h, [], lambda compute: compute())
        return jnp.stack([jnp.stack(stage) for stage in found.stages])

    rng = np.random.default_rng(5)
    at = jnp.asarray(rng.uniform(0.1, 1.0, (3, 4))), jnp.asarray([0.0, 1e-3, 0.02, 0.7])
    weights = jnp.asarray(rng.normal(size=(8, 3, 4)))
    found = []
    for least in (4, 3):
        monkeypatch.setattr(rosenbrock, "MANY", least)
        value, back = jax.vjp(increments, *at)
        found.append([value, *back(weights)])
    for ours, theirs in zip(*found, strict=True):
        scale = jnp.abs(theirs).max()
        assert scale > 0.1
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12 * scale)


def test_the_jacobian_knows_its_structure_and_its_values() -> None:
    def field(y):
        return (-y[0] * y[2], jnp.where(y[1] > 0, y[1] ** 2, 0.0), y[0] + jnp.sin(y[2]), 3.0 * jnp.ones_like(y[3]))

    y = tuple(jnp.asarray(v) for v in np.random.default_rng(1).uniform(0.5, 2.0, (4, 3)))
    pattern = structure(field, y)
    assert pattern == {(0, 0), (0, 2), (1, 1), (2, 0), (2, 2)}
    assert sorted(len(group) for group in groups(pattern, 4)) == [1, 3]
    value, entries = jacobian(field, y)
    full = jax.vmap(jax.jacfwd(lambda v: jnp.stack(field(tuple(v)))), in_axes=1)(jnp.stack(y))
    for i in range(4):
        np.testing.assert_array_equal(value[i], field(y)[i])
        for j in range(4):
            np.testing.assert_allclose(entries.get((i, j), jnp.zeros(3)), full[:, i, j], rtol=1e-14)


@pytest.mark.A8
def test_linear_models_whole_against_exact_and_driven() -> None:
    """The same equations three ways; boluses and infusions, some subjects with segments of no length."""
    model, subjects = compartments(1, 1) >> turnover(), 6
    parameters = draws({"ka": 0.5, "cl": 4.0, "v1": 10.0, "q2": 3.0, "v2": 25.0, "k": 0.05}, subjects, seed=3)
    time = np.array([[0.0] * 6, [24.0] * 3 + [0.0] * 3, [30.0, 24.0, 50.0, 31.0, 0.0, 50.0]])
    given = doses(time, [100.0, 50.0, 80.0], into=[0, 1, 1], subjects=subjects, duration=[0.0, 0.0, 7.0], lag=0.25)
    times = np.array([0.0, 1.0, 24.25, 26.0, 33.3, 50.0, 60.0, 100.0])
    tight = Tolerances(rtol=1e-10, atol=1e-12)
    exact, whole = (
        simulate(model, parameters, given, times, method=method, tolerances=tight, integrals=("conc",))
        for method in ("tsit5", "rodas5p")
    )
    assert (exact.solver, whole.solver) == ("exact + tsit5", "rodas5p")
    for name in exact.values:
        assert scaled_error(whole.values[name], exact.values[name], floor=1e-4) <= 1e-8, name


EQUATIONS = [row.alone.responses for row in LIBRARY]
INTEGRATED = [row for k, row in enumerate(LIBRARY) if EQUATIONS[k] and EQUATIONS[k] not in EQUATIONS[:k]]
"""Each set of equations that are integrated, once: cells of one kind share theirs."""


@pytest.mark.parametrize("row", INTEGRATED, ids=lambda row: row.name)
def test_stiff_and_explicit_agree_on_the_library(row: Row) -> None:
    times = np.linspace(0.0, 336.0, 57)
    given = doses([0.0, 48.0, 96.0], row.dose, subjects=1, lag=0.45, bioavailability=0.4)
    tight = Tolerances(rtol=1e-10, atol=1e-12)
    found = [
        simulate(row.whole, row.subjects(), given, times, method=method, tolerances=tight)
        for method in ("tsit5", "rodas5p")
    ]
    assert found[1].failures == {}
    if found[0].failures:  # too stiff for an explicit method: it says so, and is not chosen
        assert "no step was small enough" in found[0].failures[0]
        assert plan(row.whole, tuple(row.whole.outputs), (), (), "auto", None).method == "rodas5p"
        return
    for name in found[0].values:
        # Where IL-2 is integrated too, what is below a thousandth of its peak nears atol.
        assert scaled_error(found[1].values[name], found[0].values[name], floor=1e-3) <= 1e-7, name
